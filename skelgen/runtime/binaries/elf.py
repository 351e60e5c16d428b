"""Reads a program or library as the kernel and the dynamic linker do.

Program headers say which bytes of the file are at an address, and the dynamic segment
where its symbols are. Section headers are for linkers: they may be stale or gone, and
are needed for ``.symtab`` alone. Everything read is bounded by the file, and a file
that breaks a rule is an :class:`ElfError`.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from _bisect import bisect_right  # bisect's, without importing it

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import BpfError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, Self

_ET_EXEC: Final = 2
_ET_DYN: Final = 3
_KINDS: Final = {0: "no", 1: "an object", 4: "a core"}  # e_type: what file it is
# e_machine of what runs on a machine, by the start of its name
_MACHINES: Final = {
    "x86_64": (62, 3),
    "i": (3, 62),  # i686; also said to a 32-bit process of x86_64
    "aarch64": (183, 40),
    "arm": (40, 183),
    "ppc": (21, 20),
    "riscv": (243,),
    "s390": (22,),
    "loongarch": (258,),
    "mips": (8,),
}
_PT_LOAD: Final = 1
_PT_DYNAMIC: Final = 2
_PF_X: Final = 1
_DT_NEEDED: Final = 1
_MOST_NEEDED: Final = 1000
_SHT_NOBITS: Final = 8
_MOST: Final = 1 << 30
"""Bytes of a table, at most: a sparse file costs nothing, to read it costs memory."""
_MOST_SECTIONS: Final = 1 << 18
_MOST_SEGMENTS: Final = 1 << 16
"""Bytes of program headers: the kernel runs nothing with more."""


class ElfError(BpfError):
    """A file is no ELF file, or a broken one, or lacks a symbol."""


class Segment(Record):
    """A program header."""

    type: int
    flags: int
    offset: int
    """In the file, in bytes."""
    address: int
    size: int
    """Bytes in the file; in memory zeros may follow."""


class Section(Record):
    """A section header."""

    type: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    entry_size: int


class _Form(Record):
    """Layouts of one class and byte order."""

    order: str
    header: struct.Struct  # e_type ... e_shstrndx
    segment: struct.Struct
    section: struct.Struct
    symbol: struct.Struct
    dynamic: struct.Struct


def _form(order: str, *, is_64: bool) -> _Form:
    if is_64:
        layouts = "HHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "IBBHQQ", "QQ"
    else:
        layouts = "HHIIIIIHHHHHH", "IIIIIIII", "IIIIIIIIII", "IIIBBH", "II"
    return _Form(order, *(struct.Struct(order + layout) for layout in layouts))


class ElfFile:
    """The headers of one file; ``path`` is for messages.

    ``read`` returns up to so many bytes of the file from an offset, of ``size`` bytes.
    """

    __slots__ = (
        "_code",
        "_loads",
        "_read",
        "form",
        "is_64",
        "machine",
        "path",
        "segments",
        "size",
    )

    def __init__(self, read: Callable[[int, int], bytes], size: int, path: str) -> None:
        self.path: Final = path
        self.size: Final = size
        self._read: Final = read
        ident = read(0, 16)
        if len(ident) < 16 or ident[:4] != b"\x7fELF":
            raise self.fault("not an ELF file")
        if ident[4] not in {1, 2} or ident[5] not in {1, 2}:
            raise self.fault("unknown class or byte order of ELF")
        self.is_64: Final = ident[4] == 2
        self.form: Final = _form("<" if ident[5] == 1 else ">", is_64=self.is_64)
        head = self._header()
        if head[0] not in {_ET_EXEC, _ET_DYN}:
            kind = _KINDS.get(head[0], "an unknown kind of")
            raise self.fault(f"{kind} file, not a program or library")
        self.machine: Final = head[1]
        self.segments: Final = self._segments(head)
        loads = [s for s in self.segments if s.type == _PT_LOAD and s.size]
        self._loads: Final = sorted(loads, key=lambda segment: segment.address)
        self._code: Final = [s for s in self._loads if s.flags & _PF_X]

    @classmethod
    def of_bytes(cls, data: bytes, path: str) -> Self:
        """Return a file that is in memory."""
        return cls(lambda at, size: data[at : at + size], len(data), path)

    def fault(self, message: str) -> ElfError:
        """Return an error about this file."""
        return ElfError(f"'{self.path}': {message}")

    def runs_here(self) -> bool:
        """Whether this machine can run its code: probes in other code never fire."""
        order = "<" if sys.byteorder == "little" else ">"
        machine = os.uname().machine
        family = next((f for f in _MACHINES if machine.startswith(f)), None)
        return self.form.order == order and (
            family is None or self.machine in _MACHINES[family]
        )

    def read(self, offset: int, size: int, thing: str) -> bytes:
        """Return a part of the file; ``thing`` says what it is where it is not there."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise self.fault(f"{thing} reaches past its end")
        if size > _MOST:
            raise self.fault(f"{thing} has {size} bytes")
        try:
            data = self._read(offset, size)
        except MemoryError:
            raise self.fault(f"{thing} has {size} bytes, too many to read") from None
        if len(data) != size:  # it was cut just now
            raise self.fault(f"{thing} reaches past its end")
        return data

    def _header(self) -> tuple[int, ...]:
        layout = self.form.header
        return layout.unpack(self.read(16, layout.size, "its header"))

    def _table(
        self, start: int, count: int, entry_size: int, layout: struct.Struct, thing: str
    ) -> list[tuple[int, ...]]:
        """Return the entries of a table of headers."""
        if not count:
            return []
        if entry_size != layout.size:
            raise self.fault(f"{thing} has entries of {entry_size} bytes")
        data = self.read(start, count * entry_size, thing)
        return list(layout.iter_unpack(data))

    # -- program headers -------------------------------------------------------

    def _segments(self, head: tuple[int, ...]) -> list[Segment]:
        if head[9] * head[8] > _MOST_SEGMENTS:
            raise self.fault(f"{head[9]} program headers")
        rows = self._table(
            head[4], head[9], head[8], self.form.segment, "its table of program headers"
        )
        if self.is_64:
            return [Segment(r[0], r[1], r[2], r[3], r[5]) for r in rows]
        return [Segment(r[0], r[6], r[1], r[2], r[4]) for r in rows]

    def code_offset(self, address: int) -> int | None:
        """Return where in the file code is; ``None`` where it would never run."""
        segment = _holder(self._code, address)
        if segment is None:
            return None
        offset = segment.offset + address - segment.address
        return offset if offset < self.size else None

    def at(
        self, address: int, size: int, thing: str, *, or_less: bool = False
    ) -> bytes:
        """Return what is at an address, up to its segment's end if that may do."""
        segment = _holder(self._loads, address)
        if segment is None:
            raise self.fault(f"{thing} is at {address:#x}, which is not in the file")
        into = address - segment.address
        if or_less:
            size = min(size, segment.size - into)
            size = max(min(size, self.size - segment.offset - into), 0)
        return self.read(segment.offset + into, size, thing)

    def dynamic(self) -> tuple[dict[int, int], list[int]]:
        """Return what the dynamic segment says by tag, and each ``DT_NEEDED``.

        Empty where there is none.
        """
        layout = self.form.dynamic
        values: dict[int, int] = {}
        needed: list[int] = []
        for segment in self.segments:
            if segment.type == _PT_DYNAMIC:
                size = segment.size // layout.size * layout.size
                data = self.read(segment.offset, size, "its dynamic segment")
                for tag, value in layout.iter_unpack(data):
                    if tag == 0:
                        break
                    if tag == _DT_NEEDED and len(needed) < _MOST_NEEDED:
                        needed.append(value)
                    values.setdefault(tag, value)
                break
        return values, needed

    # -- section headers -------------------------------------------------------

    def _first_section(self, head: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first section header, which has what a header is too small for."""
        thing = "its table of section headers"
        return self._table(head[5], 1, head[10], self.form.section, thing)[0]

    def sections(self) -> list[Section]:
        """Return the section headers; a file may have none."""
        head = self._header()
        start, entry_size, count = head[5], head[10], head[11]
        if not start:
            return []
        if not count:
            count = self._first_section(head)[5]
        if count > _MOST_SECTIONS:
            raise self.fault(f"{count} section headers")
        rows = self._table(
            start, count, entry_size, self.form.section, "its table of section headers"
        )
        return [Section(r[1], r[3], r[4], r[5], r[6], r[7], r[9]) for r in rows]

    def contents(self, section: Section, thing: str) -> bytes:
        """Return what is in a section."""
        if section.type == _SHT_NOBITS:
            raise self.fault(f"{thing} is not in the file")
        return self.read(section.offset, section.size, thing)


def _holder(segments: list[Segment], address: int) -> Segment | None:
    """Return the segment that holds an address, of some sorted by address."""
    index = bisect_right(segments, address, key=lambda segment: segment.address) - 1
    if index < 0:
        return None
    segment = segments[index]
    return segment if address - segment.address < segment.size else None


class OpenedElf(ElfFile):
    """A file that stays open while it is read; a context manager.

    It is read piece by piece: a mapping of a file that somebody cuts is SIGBUS.
    Raises :class:`OSError` for one that cannot be opened.
    """

    __slots__ = ("_fd",)

    def __init__(self, path: str) -> None:
        # O_NONBLOCK: a FIFO nobody writes to is told, not waited for
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._fd: Final = fd
        try:
            size = _regular_size(fd, path)
            super().__init__(lambda at, size: _pread(fd, at, size), size, path)
        except BaseException:
            os.close(fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)

    def fileno(self) -> int:
        """Return the fd that it is read from."""
        return self._fd


def _regular_size(fd: int, path: str) -> int:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise ElfError(f"'{path}': not a regular file")
    return found.st_size


def _pread(fd: int, at: int, size: int) -> bytes:
    """Return ``size`` bytes, fewer at the file's end."""
    parts: list[bytes] = []
    while size:
        part = os.pread(fd, size, at)
        if not part:
            break
        parts.append(part)
        at, size = at + len(part), size - len(part)
    return b"".join(parts)
