"""File descriptors: checked, moved away from the standard streams, owned."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import FD, number, wrong
from skelgen.runtime.errors import ClosedError
from skelgen.runtime.listing import Single
from skelgen.runtime.syscalls import call
from skelgen.runtime.syscalls.numbers import NR_CLOSE, NR_FCNTL

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, Self

_F_DUPFD_CLOEXEC: Final = 1030


def check_fd(
    command: int, result: tuple[int, int], what: str, kind: int | None = None
) -> int:
    """Return the new fd of a command, which is 3 or more, or raise."""
    return good_fd(call.check(command, result, what, kind))


def checked_fd(fd: int, name: str = "fd") -> int:
    """Return a number that can be an fd; raise ValueError for any other.

    The kernel looks at the lower 32 bits alone, and would take another file.
    """
    if not hasattr(fd, "__index__"):
        raise wrong(name, "int", fd)
    if not 0 <= fd <= 0x7FFFFFFF:
        raise ValueError(f"{name} {fd}: no file descriptor, which is 0 to 2147483647")
    return fd


def good_fd(fd: int) -> int:
    """Move an fd away from 0, 1 and 2, where others expect standard streams."""
    fd = number(fd, "fd", FD)
    if fd > 2:
        return fd
    moved, error = call.syscall(NR_FCNTL, fd, _F_DUPFD_CLOEXEC, 3)
    close(fd)
    if moved < 0:
        call.fail("fcntl", error, f"fd {fd}")
    return moved


def dup(fd: int, *, what: str = "") -> int:
    """Return another fd of the same file: 3 or more, close-on-exec."""
    fd = checked_fd(fd)
    result, error = call.syscall(NR_FCNTL, fd, _F_DUPFD_CLOEXEC, 3)
    if result < 0:
        call.fail("fcntl", error, what or f"fd {fd}")
    return result


def close(fd: int) -> None:
    """Close an fd. Raises for one that is not open: it has a single owner."""
    fd = checked_fd(fd)
    # not through syscall(): Linux has closed it also when it says EINTR
    result, error = call.raw(NR_CLOSE, fd)
    if result < 0 and error != errno.EINTR:
        call.fail("close", error, f"fd {fd}")


class Fd(Single):
    """The one owner of a file descriptor, closed when it is not used any more."""

    __slots__ = ("_close", "_fd")

    def __init__(self, fd: int) -> None:
        self._fd = -1  # until it is known to be one
        self._fd = number(fd, "fd", FD)
        # kept: at interpreter exit the module may be gone before this object
        self._close: Callable[[int], None] = close

    def fileno(self) -> int:
        """Return the number; raises :class:`ClosedError` after :meth:`close`."""
        if self._fd < 0:
            raise ClosedError("file descriptor: closed already")
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` or :meth:`detach` was called."""
        return self._fd < 0

    def detach(self) -> int:
        """Give the number away; the caller closes it."""
        fd = self.fileno()
        self._fd = -1
        return fd

    def close(self) -> None:
        """Close it, once."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        fd = getattr(self, "_fd", -1)  # the constructor may not have come that far
        if fd >= 0:
            self._fd = -1
            try:  # noqa: SIM105 (contextlib is slow to import)
                self._close(fd)
            except Exception:  # noqa: BLE001, S110 (nobody could catch it)
                pass

    def __repr__(self) -> str:
        return f"Fd({self._fd})"
