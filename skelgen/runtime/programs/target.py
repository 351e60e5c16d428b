"""Targets of programs: interfaces, files, other programs."""

from __future__ import annotations

import ctypes
import errno
import os

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.model.flags import BPF_F_AFTER, BPF_F_BEFORE, BPF_F_ID, BPF_F_LINK
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, os_error
from skelgen.runtime.links.base import Link
from skelgen.runtime.pins import checked_path
from skelgen.runtime.values.codec import U32, checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.runtime.links.base import AttachedProgram


class HasFd(Protocol):
    """A map, program or link."""

    def fd(self) -> int:
        """Return the file descriptor."""
        ...


def fd_of(thing: HasFd | int, whose: str, kind: str) -> int:
    """Return the fd of a map, program or link, or the fd that it is itself.

    ``whose`` it is goes before what errors say. An fd is of a ``kind``, as
    :func:`.fd_kind` has it, or ValueError.
    """
    if isinstance(thing, int):
        found = syscalls.fd_kind(good_number(thing, whose))
        if found not in {None, kind}:
            raise ValueError(f"{whose}: fd {thing} is a {found}, not a {kind}")
        return thing
    if not callable(getattr(thing, "fd", None)):
        raise TypeError(
            f"{whose} must be an object with an fd or the fd itself, got"
            f" {type(thing).__name__}"
        )
    return thing.fd()


def good_number(number: int, whose: str) -> int:
    """Return an fd if it can be one."""
    if not 0 <= number < 1 << 31:
        raise ValueError(f"{whose} must be a file descriptor, got {number}")
    return number


def whole(value: object, thing: str) -> int:
    """Return a whole number; :class:`TypeError`, which names it, for anything else."""
    index = getattr(value, "__index__", None)
    if isinstance(value, bool) or index is None:
        kind = type(value).__name__
        raise TypeError(f"{thing}: a whole number is wanted, not {kind}")
    number: int = index()
    return number


def process(pid: int | None, what: str) -> int:
    """Return a process id as ``perf_event_open`` has it: -1 is every process."""
    if pid is None:
        return -1
    number = whole(pid, f"{what}: pid")
    if not -1 <= number < 1 << 31:
        raise ValueError(f"{what}: {number} is no process id (-1: all, 0: this one)")
    return number


_if_nametoindex: Final = ctypes.CDLL(None)["if_nametoindex"]
_if_nametoindex.argtypes = [ctypes.c_char_p]
_if_nametoindex.restype = ctypes.c_uint


def interface_index(program: AttachedProgram, interface: str | int) -> int:
    """Return the index of a network interface, by name or index.

    In the network namespace of the calling thread. Raises :class:`AttachError` when
    there is no interface of that name.
    """
    if isinstance(interface, int):
        if not 0 < interface < 1 << 31:
            raise ValueError(f"{program.what}: {interface} is no interface index")
        return interface
    if not isinstance(interface, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"{program.what}: interface must be a name or an index, got"
            f" {type(interface).__name__}"
        )
    index: int = 0 if "\0" in interface else _if_nametoindex(os.fsencode(interface))
    if index == 0:
        from skelgen.runtime.links.network_hints import no_interface

        raise program.attach_error(no_interface(interface))
    return index


class Opened:
    """A path opened for a while, or an fd that stays its owner's.

    ``what`` is attached there, as errors call it, and ``name`` the argument; ``hint``
    gives the note for a path that is not there, or no directory.
    """

    __slots__ = ("_directory", "_hint", "_mine", "_name", "_target", "_what")

    def __init__(
        self,
        target: str | os.PathLike[str] | int,
        name: str,
        *,
        what: str,
        directory: bool = False,
        hint: Callable[[str], str] | None = None,
    ) -> None:
        self._hint: Final = hint
        self._target: Final = target
        self._name: Final = name
        self._what: Final = what
        self._directory: Final = directory
        self._mine: syscalls.Fd | None = None

    def __enter__(self) -> int:
        target = self._target
        if isinstance(target, int):
            return good_number(target, f"{self._what}: {self._name}")
        path = checked_path(target, f"{self._what}: {self._name}")
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        if self._directory:
            flags |= os.O_DIRECTORY
        try:
            self._mine = syscalls.Fd(syscalls.good_fd(os.open(path, flags)))
        except BpfError:
            raise
        except OSError as error:
            fault = os_error(error.errno or 0, command="open", what=self._what)
            if self._hint and error.errno in {errno.ENOENT, errno.ENOTDIR}:
                fault.add_note(self._hint(os.fsdecode(path)))
            raise fault from error
        return self._mine.fileno()

    def __exit__(self, *exc: object) -> None:
        if self._mine is not None:
            self._mine.close()


def cgroup_hint(path: str) -> str:
    """Return the note for a path that is no control group."""
    from skelgen.runtime.links import place_hints

    gone = not os.path.lexists(path)
    return (place_hints.missing_cgroup if gone else place_hints.no_cgroup)(path)


def ordering(
    before: HasFd | int | None,
    after: HasFd | int | None,
    *,
    first: bool,
    last: bool,
    what: str,
) -> tuple[int, int, int]:
    """Return flags, relative fd and relative id of a place among programs.

    ``before`` and ``after`` are a program or link, or the kernel id of a program.
    """
    if sum((before is not None, after is not None, first, last)) > 1:
        raise ValueError(f"{what}: only one of before, after, first and last")
    if first:
        return BPF_F_BEFORE, 0, 0
    if last:
        return BPF_F_AFTER, 0, 0
    name, anchor = ("before", before) if before is not None else ("after", after)
    if anchor is None:
        return 0, 0, 0
    flags = BPF_F_BEFORE if before is not None else BPF_F_AFTER
    if isinstance(anchor, int):
        return flags | BPF_F_ID, 0, checked(U32, anchor, f"{what}: {name}")
    if not callable(getattr(anchor, "fd", None)):
        raise TypeError(
            f"{what}: {name} must be a program, a link or an id, got"
            f" {type(anchor).__name__}"
        )
    if isinstance(anchor, Link):
        flags |= BPF_F_LINK
    return flags, anchor.fd(), 0
