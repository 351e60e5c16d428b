"""A kernel that answers as a test tells it to, in place of ``syscalls.call.raw``."""

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

from skelgen.runtime.syscalls import numbers
from tests.harness.bpf_attr import LAYOUTS, Attr
from tests.harness.commands import Command

FIRST_FD = 1_000_000
"""Far above any real one, so that closing one by mistake does no harm."""

NAMES = {
    numbers.NR_BPF: "bpf",
    numbers.NR_PERF_EVENT_OPEN: "perf_event_open",
    numbers.NR_CLOSE: "close",
    numbers.NR_FCNTL: "fcntl",
    numbers.NR_IOCTL: "ioctl",
    numbers.NR_FSOPEN: "fsopen",
    numbers.NR_FSCONFIG: "fsconfig",
    numbers.NR_FSMOUNT: "fsmount",
}
_NEW_FD = frozenset(
    (
        "MAP_CREATE",
        "PROG_LOAD",
        "OBJ_GET",
        "RAW_TRACEPOINT_OPEN",
        "BTF_LOAD",
        "LINK_CREATE",
        "ITER_CREATE",
        "ENABLE_STATS",
        "TOKEN_CREATE",
        "PROG_GET_FD_BY_ID",
        "MAP_GET_FD_BY_ID",
        "BTF_GET_FD_BY_ID",
        "LINK_GET_FD_BY_ID",
        "perf_event_open",
        "fsopen",
        "fsmount",
        "fcntl",
    )
)


class Call(NamedTuple):
    """One system call: a command of ``bpf(2)``, or another's name."""

    name: str
    args: tuple[int, ...]
    attr: Attr
    """What ``bpf(2)`` was shown of its attr, or ``perf_event_open`` of its own."""

    def values(self, *names: str) -> list[int]:
        """Return several fields of the attr."""
        return [self.attr[name] for name in names]

    def text(self, name: str) -> str:
        """Return the string that a field points to."""
        return ctypes.string_at(self.attr[name]).decode()

    def memory(self, name: str, size: int) -> bytes:
        """Return the bytes that a field points to."""
        return ctypes.string_at(self.attr[name], size)

    def fill(self, name: str, data: bytes) -> None:
        """Write bytes to where a field points."""
        ctypes.memmove(self.attr[name], data, len(data))

    def answer(self, name: str, value: int) -> None:
        """Write a field of the caller's attr."""
        field = LAYOUTS[self.name][name]
        data = struct.pack(field.format, value)
        ctypes.memmove(self.args[1] + field.start, data, len(data))


Answer = Callable[[Call], int | None]


def map_info(type_: int, key_size: int, value_size: int) -> Answer:
    """Return the answer to ``OBJ_GET_INFO_BY_FD`` about a map."""

    def answer(call: Call) -> int:
        call.fill("info", struct.pack("=IIII", type_, 1, key_size, value_size))
        return 0

    return answer


class FakeKernel:
    """Records calls. What makes an fd gets a new one, the rest 0, unless told."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.open: set[int] = set()
        self._next = FIRST_FD
        self._giving = threading.Lock()
        self._answers: dict[str, list[int | Answer | None]] = {}
        self._always: dict[str, int | Answer] = {}

    def then(self, name: str, *answers: int | Answer | None) -> None:
        """Answer the next calls so: a result, ``-errno``, or what a function says.

        A function sees the memory that the call points to. ``None``, given here or
        returned by it, is the usual answer.
        """
        self._answers.setdefault(name, []).extend(answers)

    def always(self, name: str, answer: int | Answer) -> None:
        """Answer every call so that :meth:`then` says nothing of."""
        self._always[name] = answer

    def named(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]

    def names(self) -> list[str]:
        """Return the calls in order, without the housekeeping of fds."""
        return [c.name for c in self.calls if c.name not in {"close", "fcntl"}]

    def __call__(
        self, nr: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, *rest: int
    ) -> tuple[int, int]:
        name = NAMES.get(nr, f"syscall {nr}")
        attr = b""
        if name == "bpf":
            name = Command(a).name if a < 38 else f"command {a}"
            attr = ctypes.string_at(b, c)
        elif name == "perf_event_open":
            attr = ctypes.string_at(a, 72)
        call = Call(name, (a, b, c, d, *rest), Attr(name, attr))
        self.calls.append(call)
        queue = self._answers.get(name)
        answer = queue.pop(0) if queue else self._always.get(name)
        result = answer(call) if callable(answer) else answer
        if result is None:
            result = self._usual(call)
        if result < 0:
            return -1, -result
        return result, 0

    def _usual(self, call: Call) -> int:
        if call.name == "close":
            fd = call.args[0]
            if fd < FIRST_FD:
                return _really_close(fd)
            if fd not in self.open:
                return -errno.EBADF
            self.open.remove(fd)
            return 0
        if call.name in _NEW_FD:
            with self._giving:
                self._next += 1
                self.open.add(self._next)
                return self._next
        return 0


def _really_close(fd: int) -> int:
    """Close what was opened by another call than the fake one, e.g. a directory.

    Not the standard streams: 0 is also what the fake kernel says to most calls.
    """
    if fd <= 2:
        return 0
    try:
        os.close(fd)
    except OSError as error:
        return -(error.errno or errno.EBADF)
    return 0
