"""System calls that fail when a test says so, in place of the real or a fake kernel.

Wraps ``syscalls.call.raw``, and the few calls of the runtime that take another way: the
mappings of C and of Python, and what ``os`` and ``open`` do. Calls are numbered from 0
in the order they are made. What only gives something back is left alone.
"""

import builtins
import ctypes
import errno
import mmap
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest

from skelgen.model.flags import BPF_COMMON_ATTRS
from skelgen.runtime import syscalls
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.features import answers
from skelgen.runtime.syscalls import call, numbers
from skelgen.runtime.syscalls import mapping as mem
from tests.harness.commands import Command
from tests.harness.fake_kernel import NAMES

ERRORS = (errno.EPERM, errno.EINVAL, errno.ENOMEM, errno.EAGAIN, errno.E2BIG)
"""What a call fails with, one after another."""

GIVES_BACK = frozenset(
    (
        "close",
        "munmap",
        "MAP_DELETE_ELEM",
        "PROG_DETACH",
        "LINK_DETACH",
        "PERF_EVENT_IOC_DISABLE",
    )
)
"""Calls that do not fail unless they are asked for by name."""

Failure = int | type[BaseException]


class Faults:
    """Which call fails, and what has been called so far."""

    def __init__(
        self, at: int | None, failure: Failure, *, lasting: bool, names: frozenset[str]
    ) -> None:
        self.at = at
        self.failure = failure
        self.lasting = lasting
        self.names = names
        self.calls: list[str] = []
        """Names of all calls that count."""
        self.failed: str | None = None
        """Name of the call that failed; with ``lasting`` all of its name do."""

    def fails(self, name: str) -> bool:
        """Count a call, and return whether it is one to fail."""
        if name in GIVES_BACK and name not in self.names:
            return False
        if self.names and name not in self.names:
            return False
        self.calls.append(name)
        if self.failed is None and len(self.calls) - 1 == self.at:
            self.failed = name
            return True
        return self.lasting and name == self.failed

    def error(self) -> int:
        """Return the errno of a failure, or raise it."""
        if isinstance(self.failure, int):
            return self.failure
        raise self.failure

    @property
    def command(self) -> str:
        """How an error calls what failed."""
        assert self.failed is not None
        names = Command.__members__
        return f"BPF_{self.failed}" if self.failed in names else self.failed


_IOCTLS = {
    syscalls.PERF_EVENT_IOC_ENABLE: "PERF_EVENT_IOC_ENABLE",
    syscalls.PERF_EVENT_IOC_DISABLE: "PERF_EVENT_IOC_DISABLE",
    syscalls.PERF_EVENT_IOC_SET_BPF: "PERF_EVENT_IOC_SET_BPF",
}


def _name(nr: int, args: tuple[int, ...]) -> str:
    if nr == numbers.NR_BPF:
        return Command(args[0] & ~BPF_COMMON_ATTRS).name
    if nr == numbers.NR_IOCTL:
        return _IOCTLS.get(args[1], "ioctl")
    return NAMES.get(nr, f"syscall {nr}")


@contextmanager
def faults(
    at: int | None = None,
    failure: Failure = errno.EIO,
    *,
    lasting: bool = False,
    names: tuple[str, ...] = (),
) -> Iterator[Faults]:
    """Let call number ``at`` fail, of all or of those with certain ``names``.

    ``lasting``: and every later one of its name. ``failure`` is an errno or an
    exception to raise in place of the call, as if a signal handler had.
    """
    found = Faults(at, failure, lasting=lasting, names=frozenset(names))
    real = call.raw

    def raw(nr: int, *args: int) -> tuple[int, int]:
        if found.fails(_name(nr, args)):
            return -1, found.error()
        return real(nr, *args)

    with _answers_as_before(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(call, "raw", raw)
        patch.setattr(mem, "_mmap", _c_function(found, "mmap", mem._mmap, mem._FAILED))
        patch.setattr(mem, "_madvise", _c_function(found, "madvise", mem._madvise, -1))
        patch.setattr(mmap, "mmap", _mmap_class(found))
        for name in ("open", "read", "write", "mkdir"):
            patch.setattr(os, name, _python(found, name, getattr(os, name)))
        patch.setattr(builtins, "open", _python(found, "open", open))
        patch.setattr(socket, "socket", _socket_class(found))
        yield found


@contextmanager
def _answers_as_before() -> Iterator[None]:
    """Forget what the process learned of the kernel while calls failed: it is not so."""
    asked = [each for each in features.named().values() if not each._once._known]
    known = dict(answers._answers)
    try:
        yield
    finally:
        for each in asked:
            each.forget()
        answers._answers.clear()
        answers._answers.update(known)


def _c_function(
    found: Faults, name: str, real: Callable[..., int], failed: int | None
) -> Callable[..., int]:
    def call(*args: int) -> int:
        if found.fails(name):
            ctypes.set_errno(found.error())
            return int(failed or 0)
        return int(real(*args))

    return call


def _fail(found: Faults, name: str) -> None:
    if found.fails(name):
        number = found.error()
        raise OSError(number, os.strerror(number))


def _mmap_class(found: Faults) -> type[mmap.mmap]:
    class Mmap(mmap.mmap):
        def __new__(cls, *args: Any, **kwargs: Any) -> Self:
            _fail(found, "mmap")
            return super().__new__(cls, *args, **kwargs)

    return Mmap


def _socket_class(found: Faults) -> type[socket.socket]:
    class Socket(socket.socket):
        def __init__(self, *args: Any) -> None:
            _fail(found, "socket")
            super().__init__(*args)

    return Socket


def _python(
    found: Faults, name: str, real: Callable[..., object]
) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        _fail(found, name)
        return real(*args, **kwargs)

    return call


class Interrupt(BaseException):
    """As ``KeyboardInterrupt``, which pytest takes for its own."""


def interrupt_after(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    """Have a signal handler raise at the end of the first call of a command."""
    real = call.raw

    def raw(nr: int, a: int = 0, *rest: int) -> tuple[int, int]:
        result = real(nr, a, *rest)
        if nr == numbers.NR_BPF and a == command:
            monkeypatch.setattr(call, "raw", real)
            raise Interrupt
        return result

    monkeypatch.setattr(call, "raw", raw)
