"""A load, attempted once more where the limit on locked memory may have refused it."""

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.btf.errors import BtfParseError
from skelgen.runtime.errors import BpfError, BpfOSError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def attempt_with_memlock(name: str, attempt: "Callable[[], T]", *, strict: bool) -> T:
    """Make an attempt; on kernels before 5.11 another with RLIMIT_MEMLOCK lifted.

    ``name`` is the object's. One that is not ``strict`` does not tell whether the limit
    was the reason, so the limit is lifted before.
    """
    try:
        if not strict:
            from skelgen.runtime.kernel.memlock import lift_memlock

            lift_memlock()
            return attempt()
        try:
            return attempt()
        except BpfOSError as error:
            from skelgen.runtime.kernel.memlock import lift_memlock

            # lifted by another thread meanwhile is as good
            if not isinstance(error, PermissionError) or not lift_memlock():
                raise
        return attempt()
    except BtfParseError as error:
        raise BpfError(f"object '{name}': {error}") from error
