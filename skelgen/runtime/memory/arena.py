"""Arenas: memory that programs and processes share under one address (Linux 6.9).

The first mapping of an arena fixes its address, unless its definition has one, and the
verifier wants it before it takes a program that uses the arena. So load maps it, and
it stays mapped as long as the object or a view of the memory is there.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
from _warnings import warn

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.model.flags import BPF_F_SEGV_ON_FAULT
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, StateError
from skelgen.runtime.log import debug
from skelgen.runtime.process.forks import register
from skelgen.runtime.undo import last_step

if TYPE_CHECKING:
    from typing import Any, Final


_MAP_FIXED_NOREPLACE: Final = 0x100000
_READ_WRITE: Final = syscalls.PROT_READ | syscalls.PROT_WRITE


class ArenaMemory:
    """Bytes of an arena, from which views are made: what a section's memory has.

    In truth a ctypes array, see :meth:`Arena.memory`.
    """

    frozen = False
    live = True
    what: str
    """How errors call it."""
    arena: Arena
    """Keeps it mapped."""

    def pull(self) -> None:
        """Do nothing: it is the memory itself."""

    def push(self) -> None:
        """Do nothing: it is the memory itself."""

    def close(self) -> None:
        """Do nothing: the last view unmaps it."""


class Arena:
    """An arena in this process; unmapped when nothing refers to it any more.

    The kernel does not hand its mapping down to a forked child, where views would
    point to nothing. So a child maps it again, at the same address and before anything
    else can be there; that takes an fd, which this keeps as long as itself.
    """

    __slots__ = ("__weakref__", "_fd", "address", "size", "variables", "what")

    def __init__(self, address: int, size: int, what: str, fd: int) -> None:
        self.size = 0
        """Bytes; 0 once it is unmapped."""
        self._fd: Final = syscalls.Fd(syscalls.dup(fd, what=what))
        self.address: Final = address
        """Where it begins, here and in the pointers that programs store."""
        self.what: Final = what
        """How errors call it."""
        self.variables = 0
        """Byte in it where the variables of its object begin."""
        self.size = size
        register(self)

    def memory(self, offset: int, size: int, what: str) -> Any:  # noqa: ANN401 (ctypes)
        """Return bytes of it as an :class:`ArenaMemory`.

        Raises BpfOSError where the kernel has no page to give.
        """
        self._populate(offset, size)
        metaclass: Any = type(ctypes.Array)
        cls = metaclass(
            "ArenaMemory",
            (ArenaMemory, ctypes.Array),
            {"_type_": ctypes.c_char, "_length_": size},
        )
        memory = cls.from_address(self.address + offset)
        memory.arena, memory.what = self, what
        return memory

    def offset(self, address: int, size: int) -> int:
        """Return where in the arena a pointer points to, with room for ``size`` bytes.

        Of a pointer its lower 32 bits count, as for the kernel. Raises ValueError for
        NULL, IndexError outside of the arena.
        """
        if not address:
            raise ValueError(f"{self.what}: NULL points to nothing")
        offset = (address - self.address) & 0xFFFFFFFF
        self._check()
        if size < 0 or offset + size > self.size:
            raise IndexError(
                f"{self.what}: {size} bytes at {address:#x} are not in"
                f" {self.address:#x}..{self.address + self.size:#x}"
            )
        return offset

    def _check(self) -> None:
        if not self.size:
            raise StateError(f"{self.what}: could not be mapped in this forked child")

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes of it. Raises BpfOSError as :meth:`memory` does."""
        self._populate(offset, len(data))
        ctypes.memmove(self.address + offset, data, len(data))

    def after_fork(self) -> None:
        """Map it in a forked child too, or leave zeros to views of it and warn."""
        size = self.size
        if not size:
            return
        flags = syscalls.MAP_SHARED | syscalls.MAP_FIXED
        try:
            syscalls.mmap(
                self.address,
                size,
                _READ_WRITE,
                flags,
                self._fd.fileno(),
                what=self.what,
            )
        except BpfOSError as error:
            self.size = 0  # whatever is asked for is outside
            syscalls.map_private(self.address, b"", size, what=self.what)
            warn(
                f"{self.what}: cannot be mapped in this forked child, where it cannot"
                f" be used and views of it are zero: {error}",
                RuntimeWarning,
            )

    def _populate(self, offset: int, size: int) -> None:
        # Touching a page that cannot be had would be a SIGSEGV, which ends Python.
        if not size:
            return
        self._check()
        into_page = offset % mmap.PAGESIZE
        try:
            syscalls.populate(
                self.address + offset - into_page, into_page + size, what=self.what
            )
        except BpfOSError as error:
            if error.errno == errno.EFAULT:
                error.add_note(
                    "no page for it: the memory of this cgroup or machine is used up"
                )
            raise

    def unmap(self) -> None:
        """Unmap it, which no view may survive. Idempotent."""
        size, self.size = self.size, 0
        if size:
            syscalls.munmap(self.address, size, what=self.what)
        self._fd.close()

    def __del__(self) -> None:
        last_step(self.unmap)


class ArenaRequest(Protocol):
    """The definition of an arena that was made."""

    @property
    def name(self) -> str:
        """Return its name in the kernel."""
        ...

    @property
    def max_entries(self) -> int:
        """Return its size in pages."""
        ...

    @property
    def flags(self) -> int:
        """Return its ``map_flags``."""
        ...

    @property
    def map_extra(self) -> int:
        """Return the address that its definition gives it, 0 for none."""
        ...


def map_arena(
    fd: int,
    request: ArenaRequest,
    image: bytes | None,
    *,
    reused: bool,
    token_fd: int = 0,
) -> Arena | None:
    """Map an arena, and write the initial contents of a new one.

    ``image`` is what its variables begin with, ``None`` for an arena without any.
    Returns ``None`` for an arena whose pages cannot be touched, or that exists already at an
    address that nobody knows; then it may have no variables.
    """
    what = f"map '{request.name}'"
    size = request.max_entries * mmap.PAGESIZE
    if image is not None and len(image) > size:
        raise BpfError(
            f"{what}: {len(image)} bytes of globals do not fit into"
            f" {request.max_entries} pages"
        )
    untouchable = bool(request.flags & BPF_F_SEGV_ON_FAULT)
    if untouchable and image is not None:
        raise BpfError(
            f"{what}: BPF_F_SEGV_ON_FAULT leaves no way to write its initial contents"
        )
    variables = 0 if image is None else _place_of(image, size, token_fd)
    flags = syscalls.MAP_SHARED
    if request.map_extra:
        flags |= _MAP_FIXED_NOREPLACE
    try:
        address = syscalls.mmap(
            request.map_extra,
            size,
            _READ_WRITE,
            flags,
            fd,
            what=what,
        )
    except BpfOSError as error:
        if not reused:
            raise
        if image is None:
            debug("%s", error)
            return None
        if error.errno == errno.EINVAL and not request.map_extra:
            error.add_note(
                "an arena that exists has one address in all processes; define it"
                " with __ulong(map_extra, ADDRESS)"
            )
        raise
    arena = _owned(address, size, what, fd)
    arena.variables = variables
    if image and not reused:
        try:
            arena.write(variables, image)
        except BaseException:
            arena.unmap()
            raise
    return None if untouchable else arena


def _place_of(variables: bytes, size: int, token_fd: int) -> int:
    """Return the byte of an arena where its variables begin, as libbpf has it.

    They take its last pages, so that the first may stay without memory, for pointers that
    are NULL to be caught; kernels that allow no instruction an offset of 512 MiB and more
    (before Linux 7.0) have them at its start.
    """
    from skelgen.runtime.kernel.features import LDIMM64_FULL_RANGE

    if LDIMM64_FULL_RANGE.supported(token_fd) is not True:
        return 0
    return size - len(variables) - -len(variables) % mmap.PAGESIZE


def _owned(address: int, size: int, what: str, fd: int) -> Arena:
    """Return the arena of a new mapping, or unmap it."""
    try:
        return Arena(address, size, what, fd)
    except BaseException:
        syscalls.munmap(address, size, what=what)
        raise
