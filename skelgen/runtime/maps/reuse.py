"""Maps that exist already, in place of new ones: found at a pin, or given as an fd.

A program is verified for the sizes that its object declares, so a map of another
definition cannot take the place of the declared one.
"""

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model import map_types
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_NUMA_NODE
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, StateError

if TYPE_CHECKING:
    from skelgen.runtime.maps.request import MapRequest
    from skelgen.runtime.syscalls import MapInfo


def open_pinned(path: str, wanted: "MapRequest", what: str) -> int | None:
    """Return the fd of the map at a path, ``None`` where there is none.

    Raises :class:`BpfError` when it is another map than wanted.
    """
    try:
        fd = syscalls.obj_get(path, what=f"{what} at '{path}'")
    except BpfOSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    try:
        found = differences(syscalls.map_info(fd, what=what), wanted)
    except BaseException:
        syscalls.close(fd)
        raise
    if found:
        syscalls.close(fd)
        raise BpfError(
            f"{what}: the map pinned at '{path}' is another:"
            f" {', '.join(found)}; remove the pin, or change the definition"
        )
    return fd


def check_same(fd: int, wanted: "MapRequest", what: str) -> int:
    """Return the id of the map of an fd; BpfError unless it is of that definition."""
    info = syscalls.map_info(fd, what=f"{what}: map to reuse")
    found = differences(info, wanted)
    if found:
        raise BpfError(
            f"{what}: the map to reuse is another: {', '.join(found)}; set what"
            " differs before reuse(), or change the declaration"
        )
    return info.id


def check_identity(fd: int, map_id: int, what: str) -> None:
    """Raise StateError unless an fd is still of the map that it was of."""
    info = syscalls.map_info(fd, what=what)
    if info.id != map_id:
        raise StateError(
            f"{what}: fd {fd} was of the map with id {map_id} and is of that with"
            f" {info.id} now: something else closed it; close no fd that an object owns"
        )


def differences(there: "MapInfo", wanted: "MapRequest") -> list[str]:
    """Return in words what a map in the kernel has otherwise than wanted."""
    flags = there.flags & ~map_types.row(there.type).added_flags
    wanted_flags = wanted.flags
    if wanted.numa_node is not None:
        wanted_flags |= BPF_F_NUMA_NODE
    pairs = (
        ("type", int(there.type), int(wanted.type)),
        ("key_size", there.key_size, wanted.key_size),
        ("value_size", there.value_size, wanted.value_size),
        ("max_entries", there.max_entries, wanted.max_entries),
        ("flags", flags, wanted_flags),
        ("map_extra", there.map_extra, wanted.map_extra),
    )
    return [
        f"{name} {_number(name, has)} there and {_number(name, wants)} here"
        for name, has, wants in pairs
        if has != wants
    ]


def _number(name: str, value: int) -> str:
    if name == "type":
        from skelgen.model.constants import name_of

        return name_of(value, MapType)
    return f"{value:#x}" if name in {"flags", "map_extra"} else str(value)
