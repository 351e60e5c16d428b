"""Things with a file descriptor: maps, programs, links, files, sockets."""

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.runtime import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable


class SupportsFd(Protocol):
    """A map, program or link."""

    def fd(self) -> int:
        """Return its fd."""
        ...


class SupportsFileno(Protocol):
    """A file, socket or the like."""

    def fileno(self) -> int:
        """Return its fd."""
        ...


def fd_of(value: object) -> int:
    """Return the fd of a map, program or file, or the number itself.

    Raises TypeError for what has none, and ValueError for a number that is none, of
    which the kernel would take the lower 32 bits.
    """
    if isinstance(value, int):
        return syscalls.checked_fd(value)
    method: Callable[[], int] | None = getattr(value, "fd", None)
    method = method or getattr(value, "fileno", None)
    if method is None:
        raise TypeError(
            f"must be a file descriptor or an object with one, "
            f"got {type(value).__name__}"
        )
    return method()
