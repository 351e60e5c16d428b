"""The one place where the runtime enters the kernel.

Every system call of the package goes through ``skelgen.runtime.syscalls.raw``. A
test replaces that one name, and with it the kernel.
"""

from __future__ import annotations

import ctypes
import errno

from skelgen.arguments import FD, encoded, number, readable, writable, wrong
from skelgen.model.enums import Command
from skelgen.runtime import syscalls as _package
from skelgen.runtime.errors import BpfOSError, ClosedError, os_error
from skelgen.runtime.listing import Single
from skelgen.runtime.syscalls.numbers import (
    NR_BPF,
    NR_CLOSE,
    NR_FCNTL,
    NR_PERF_EVENT_OPEN,
)
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import Final, NoReturn, Self

Buffer = bytes | bytearray | memoryview
"""What a call reads from; what it writes to is a ``bytearray`` or writable view."""

_libc: Final = ctypes.CDLL(None, use_errno=True)
_syscall: Final = _libc["syscall"]
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] * 7


class _Made(ctypes.c_long):
    """What a call returned that makes an fd: closes it, unless it was taken out.

    A signal that comes during the call is handled right after it, before anything can
    be done with what it returned. Where the handler raises (``KeyboardInterrupt``),
    nobody else has the fd.
    """

    __slots__ = ()

    def __del__(
        self, close: Callable[..., int] = _syscall, number: int = NR_CLOSE
    ) -> None:
        # the arguments are kept for the end of the interpreter
        if self.value >= 0:
            close(number, self.value, 0, 0, 0, 0, 0)


# another view of the same function
_making: Final = _libc["syscall"]
_making.restype = _Made
_making.argtypes = _syscall.argtypes

_MAKE_FDS: Final = frozenset(
    (
        Command.MAP_CREATE,
        Command.PROG_LOAD,
        Command.OBJ_GET,
        Command.PROG_GET_FD_BY_ID,
        Command.MAP_GET_FD_BY_ID,
        Command.RAW_TRACEPOINT_OPEN,
        Command.BTF_LOAD,
        Command.BTF_GET_FD_BY_ID,
        Command.LINK_CREATE,
        Command.LINK_GET_FD_BY_ID,
        Command.ITER_CREATE,
        Command.TOKEN_CREATE,
    )
)
"""Commands that return a new fd."""

_F_DUPFD_CLOEXEC: Final = 1030
_WORD: Final = (-1 << 63, (1 << 64) - 1)


def raw(
    nr: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0
) -> tuple[int, int]:
    """Do one system call; return its result and errno (0 when it succeeded)."""
    try:
        if nr == NR_PERF_EVENT_OPEN or (nr == NR_BPF and a in _MAKE_FDS):
            made: _Made = _making(nr, a, b, c, d, e, f)
            # no call between the two: no handler comes between them
            result = made.value
            made.value = -1
        else:
            result = _syscall(nr, a, b, c, d, e, f)
    except ctypes.ArgumentError:
        for name, value in zip("abcdef", (a, b, c, d, e, f), strict=True):
            number(value, name, _WORD)
        number(nr, "nr", _WORD)
        raise
    return result, ctypes.get_errno() if result < 0 else 0


real_raw: Final = raw
"""``raw`` as it is when no test replaced it."""


def call(
    nr: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0
) -> tuple[int, int]:
    """Do one system call, again when a signal interrupted it.

    Looked up in the package every time, so that a test replaces the kernel in one
    place. Python runs its signal handlers between two tries.
    """
    while True:
        result, error = _package.raw(nr, a, b, c, d, e, f)
        if result >= 0 or error != errno.EINTR:
            return result, error


# -- bpf(2) --------------------------------------------------------------------


_ANSWERED: Final = frozenset(
    (
        Command.PROG_TEST_RUN,
        Command.PROG_GET_NEXT_ID,
        Command.MAP_GET_NEXT_ID,
        Command.BTF_GET_NEXT_ID,
        Command.LINK_GET_NEXT_ID,
        Command.OBJ_GET_INFO_BY_FD,
        Command.PROG_QUERY,
        Command.TASK_FD_QUERY,
        Command.MAP_LOOKUP_BATCH,
        Command.MAP_LOOKUP_AND_DELETE_BATCH,
        Command.MAP_UPDATE_BATCH,
        Command.MAP_DELETE_BATCH,
    )
)
"""Commands with members of ``union bpf_attr`` that the kernel writes to.

``PROG_LOAD`` and ``BTF_LOAD`` do so for the log's true size, where it is asked for.
"""


def bpf(
    command: int, attr: bytearray, size: int | None = None, *, again: bool = True
) -> tuple[int, int]:
    """Do one ``bpf(2)`` command; the kernel may write to ``attr``.

    Without a size the kernel is told of the bytes up to the last that is not zero,
    as libbpf tells it of a whole member: a kernel takes fields that it does not know
    if they are zero. Where it answers in the attr it is told of all of it, for it
    leaves out what is beyond.
    """
    address = ctypes.addressof(ctypes.c_char.from_buffer(attr))
    if size is None and command in _ANSWERED:
        size = len(attr)
    elif size is None:
        size = min(len(attr), -(-len(attr.rstrip(b"\0")) // 8) * 8)
    if again:
        return call(NR_BPF, command, address, size)
    return _package.raw(NR_BPF, command, address, size)


def check(
    command: int, result: tuple[int, int], what: str, kind: int | None = None
) -> int:
    """Return the result of a command, or raise for its errno."""
    value, error = result
    if value < 0:
        raise failure("BPF_" + Command(command).name, error, what, kind=kind)
    return value


def check_fd(
    command: int, result: tuple[int, int], what: str, kind: int | None = None
) -> int:
    """Return the new fd of a command, which is 3 or more, or raise."""
    return good_fd(check(command, result, what, kind))


def fail(command: str, error: int, what: str) -> NoReturn:
    """Raise the :class:`BpfOSError` of a failed call, with hints on its cause."""
    raise failure(command, error, what)


def failure(
    command: str,
    error: int,
    what: str,
    message: str | None = None,
    *,
    kind: int | None = None,
) -> BpfOSError:
    """Return the :class:`BpfOSError` of a failed call, with hints on its cause."""
    result = os_error(error, message, command=command, what=what)
    if error == errno.EPERM:
        try:
            # late: needed when something failed only
            from skelgen.runtime.diagnose import explain  # noqa: PLC0415
        except ImportError:  # rights were dropped, and with them those to our files
            return result
        for note in explain(command, kind):
            result.add_note(note)
    return result


# -- memory --------------------------------------------------------------------


class Memory:
    """Addresses of buffers, which it keeps alive as long as it lives itself."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[object] = []

    def read(self, data: Buffer | None, name: str = "data", whose: str = "") -> int:
        """Return an address where the kernel finds ``data``; 0 for none or empty.

        ``name`` of ``whose`` it is, for the error about what are no bytes.
        """
        if data is None or not readable(data, name, whose):
            return 0
        copy = ctypes.create_string_buffer(bytes(data), len(data))
        self._kept.append(copy)
        return ctypes.addressof(copy)

    def text(
        self,
        data: str | bytes | os.PathLike[str],
        name: str = "name",
        whose: str = "",
    ) -> int:
        """Return the address of a NUL-terminated copy of a path or name.

        Raises ValueError for one with a NUL in it, which would be its end.
        """
        copy = ctypes.create_string_buffer(encoded(data, name, whose))
        self._kept.append(copy)
        return ctypes.addressof(copy)

    def write(
        self, data: bytearray | memoryview | None, name: str = "out", whose: str = ""
    ) -> int:
        """Return the address of ``data`` itself, for the kernel to write to."""
        if data is None or not writable(data, name, whose):
            return 0
        pinned = ctypes.c_char.from_buffer(data)
        self._kept.append(pinned)
        return ctypes.addressof(pinned)


# -- file descriptors ----------------------------------------------------------


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
    moved, error = call(NR_FCNTL, fd, _F_DUPFD_CLOEXEC, 3)
    close(fd)
    if moved < 0:
        fail("fcntl", error, f"fd {fd}")
    return moved


def dup(fd: int, *, what: str = "") -> int:
    """Return another fd of the same file: 3 or more, close-on-exec."""
    fd = checked_fd(fd)
    result, error = call(NR_FCNTL, fd, _F_DUPFD_CLOEXEC, 3)
    if result < 0:
        fail("fcntl", error, what or f"fd {fd}")
    return result


def close(fd: int) -> None:
    """Close an fd. Raises for one that is not open: it has a single owner."""
    fd = checked_fd(fd)
    # not through call(): Linux has closed it also when it says EINTR
    result, error = _package.raw(NR_CLOSE, fd)
    if result < 0 and error != errno.EINTR:
        fail("close", error, f"fd {fd}")


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
