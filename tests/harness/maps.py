"""Maps in the kernel without an object."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import features
from skelgen.runtime.maps.handle import MapHandle
from tests.harness.privilege import require


def loaded(
    type_: MapType,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    **options: Any,
) -> MapHandle:
    """Return a new map called ``m``, as load leaves it; the caller closes it.

    The test is skipped where the kernel has no maps of the type.
    """
    spec = MapSpec("m", type_, key_size, value_size, max_entries, flags)
    handle = MapHandle(spec)
    try:
        fd = syscalls.map_create(
            type=type_,
            key_size=key_size,
            value_size=value_size,
            max_entries=max_entries,
            flags=flags,
            name="m",
            **options,
        )
    except BpfOSError:
        require(f"maps of type {type_.name}", features.map_type(type_))
        raise
    handle.adopt(fd)
    return handle


@contextmanager
def made(type_: MapType, *args: int, **options: Any) -> Iterator[MapHandle]:
    """Yield a new map, closed in the end."""
    handle = loaded(type_, *args, **options)
    try:
        yield handle
    finally:
        handle.close()
