"""The one place where the runtime enters the kernel.

Every system call of the package goes through :func:`raw` of this module. A
test replaces that one name, and with it the kernel.
"""

from __future__ import annotations

import ctypes
import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import number
from skelgen.model.enums import Command
from skelgen.model.flags import BPF_COMMON_ATTRS
from skelgen.runtime.errors import BpfOSError, os_error
from skelgen.runtime.syscalls.numbers import NR_BPF, NR_CLOSE, NR_PERF_EVENT_OPEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, NoReturn

_libc: Final = ctypes.CDLL(None, use_errno=True)
_syscall: Final = _libc["syscall"]
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] * 7


class _Made(ctypes.c_long):
    """A new fd, as a call returned it; closes it, unless it was taken out.

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
        Command.MAP_CREATE | BPF_COMMON_ATTRS,
    )
)
"""Commands that return a new fd."""

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


def syscall(
    nr: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0
) -> tuple[int, int]:
    """Do one system call, again when a signal interrupted it.

    Python runs its signal handlers between two tries.
    """
    while True:
        result, error = raw(nr, a, b, c, d, e, f)
        if result >= 0 or error != errno.EINTR:
            return result, error


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
    command: int,
    attr: bytearray,
    size: int | None = None,
    *,
    again: bool = True,
    common: bytearray | None = None,
) -> tuple[int, int]:
    """Do one ``bpf(2)`` command; the kernel may write to ``attr``.

    Without a size the kernel is told of the bytes up to the last that is not zero,
    as libbpf tells it of a whole member: a kernel takes fields that it does not know
    if they are zero. Where it answers in the attr it is told of all of it, for it
    leaves out what is beyond. ``common`` is the second attr, of Linux 7.2
    (:mod:`skelgen.runtime.syscalls.common_attrs`).
    """
    address = ctypes.addressof(ctypes.c_char.from_buffer(attr))
    if size is None and command in _ANSWERED:
        size = len(attr)
    elif size is None:
        size = min(len(attr), -(-len(attr.rstrip(b"\0")) // 8) * 8)
    if common is not None:
        second = ctypes.addressof(ctypes.c_char.from_buffer(common))
        command |= BPF_COMMON_ATTRS
        return syscall(NR_BPF, command, address, size, second, len(common))
    if again:
        return syscall(NR_BPF, command, address, size)
    return raw(NR_BPF, command, address, size)


def check(
    command: int, result: tuple[int, int], what: str, kind: int | None = None
) -> int:
    """Return the result of a command, or raise for its errno."""
    value, error = result
    if value < 0:
        raise failure(command_name(command), error, what, kind=kind)
    return value


def command_name(command: int) -> str:
    """Return the name of a command in C: ``BPF_MAP_CREATE``."""
    named = ((name, number) for name, number in vars(Command).items() if name.isupper())
    return next(f"BPF_{name}" for name, number in named if number == command)


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
            from skelgen.runtime.syscalls.rights import explain
        except (
            ImportError
        ):  # privileges were dropped, and skelgen's own files cannot be read
            return result
        for note in explain(command, kind):
            result.add_note(note)
    return result
