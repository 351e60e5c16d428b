"""File descriptors that are closed when the calls with them are over.

A number that is closed in the middle of a call may be another object's by the time the
kernel sees it: a map with larger values would be copied past the buffer.
"""

from __future__ import annotations

import time
from _thread import get_ident

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import ClosedError
from skelgen.runtime.process.forks import register
from skelgen.runtime.syscalls.fd import Fd

if TYPE_CHECKING:
    from typing import Final

_PATIENCE: Final = 200
"""Milliseconds that closing waits for the calls of other threads."""


class UsedFd(Fd):
    """An fd, and the threads that are in a call with it."""

    __slots__ = ("__weakref__", "_closing", "_users", "_what")

    def __init__(self, fd: int, what: str) -> None:
        super().__init__(fd)
        self._what: Final = what
        self._closing = False
        self._users: Final[list[int]] = []
        register(self)

    def after_fork(self) -> None:
        """Forget the calls of threads that a forked child has not."""
        self._users[:] = [thread for thread in self._users if thread == get_ident()]

    def fileno(self) -> int:
        """Return the number; raises :class:`ClosedError` after :meth:`close`."""
        if self._closing:
            raise ClosedError(f"{self._what}: the object was destroyed")
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closing

    def use(self) -> _Use:
        """Return a context manager that gives the fd and keeps it open meanwhile.

        For a call that does not take long.
        """
        return _Use(self, self._users)

    def close(self) -> None:
        """Close it, once, when no other thread is in a call with it.

        A call of this thread, which a signal handler interrupted, closes it at its end.
        """
        self._closing = True
        self.leave()

    def leave(self) -> None:
        """Close it if that was asked for and no call of this thread has it."""
        if not self._closing or get_ident() in self._users or self._fd < 0:
            return
        for _ in range(_PATIENCE):
            if not self._users:
                break
            time.sleep(0.001)
        super().close()


class _Use:
    """A call with an fd."""

    __slots__ = ("_fd", "_users")

    def __init__(self, fd: UsedFd, users: list[int]) -> None:
        self._fd = fd
        self._users = users

    def __enter__(self) -> int:
        # before looking, so that one of two sees the other
        self._users.append(get_ident())
        try:
            return self._fd.fileno()
        except ClosedError:
            self._users.remove(get_ident())
            raise

    def __exit__(self, *exc: object) -> None:
        self._users.remove(get_ident())
        self._fd.leave()
