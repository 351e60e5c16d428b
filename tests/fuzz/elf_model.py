"""An ELF object taken apart and put together again, with whatever was changed between.

Headers, string tables and sizes are written anew, so that a change is all that is odd
about the object: what :mod:`tests.fuzz.mutate` breaks at random is right here.
"""

import struct
from dataclasses import dataclass, field
from typing import Literal

SYMTAB, STRTAB, NOBITS, REL = 2, 3, 8, 9


@dataclass
class Section:
    """A section, its contents included."""

    name: bytes
    type: int
    flags: int
    address: int
    data: bytearray
    size: int
    """As the header says; more than the contents for ``SHT_NOBITS``."""
    link: int
    info: int
    align: int
    entry_size: int


@dataclass
class Symbol:
    """A symbol; section is an index in :attr:`Elf.sections`, or reserved."""

    name: bytes
    info: int
    other: int
    section: int
    value: int
    size: int


@dataclass
class Elf:
    """A whole object; the symbol table is the section that :attr:`table` counts."""

    prefix: str
    head: bytearray
    sections: list[Section]
    symbols: list[Symbol] = field(default_factory=list)
    table: int = 0

    @property
    def byteorder(self) -> Literal["little", "big"]:
        """``"little"`` or ``"big"``."""
        return "little" if self.prefix == "<" else "big"

    def find(self, name: bytes) -> Section | None:
        """Return the first section of a name."""
        return next((s for s in self.sections if s.name == name), None)

    def relocations(self, section: Section) -> list[list[int]]:
        """Return offset, symbol and type of each entry; half an entry is left out."""
        whole = section.data[: len(section.data) // 16 * 16]
        entries = struct.iter_unpack(f"{self.prefix}QII", whole)
        return [
            # the two halves of r_info, whatever the byte order
            [offset, low, high] if self.prefix == ">" else [offset, high, low]
            for offset, low, high in entries
        ]

    def set_relocations(self, section: Section, entries: list[list[int]]) -> None:
        """Write entries, sizes and all."""
        section.data = bytearray().join(
            struct.pack(
                f"{self.prefix}QQ", offset & _MOST, (symbol << 32 | kind) & _MOST
            )
            for offset, symbol, kind in entries
        )
        section.size = len(section.data)


_MOST = (1 << 64) - 1


def parse(data: bytes) -> Elf:
    """Take an object apart that a compiler wrote."""
    prefix = "<" if data[5] == 1 else ">"
    (table,) = struct.unpack_from(f"{prefix}Q", data, 40)
    count, names = struct.unpack_from(f"{prefix}HH", data, 60)
    raw = [
        struct.unpack_from(f"{prefix}IIQQQQIIQQ", data, table + 64 * index)
        for index in range(count)
    ]

    def text(strings: int, offset: int) -> bytes:
        start = raw[strings][4] + offset
        return data[start : data.index(0, start)]

    sections = [
        Section(
            text(names, name),
            kind,
            flags,
            address,
            bytearray(b"" if kind == NOBITS else data[offset : offset + size]),
            size,
            link,
            info,
            align,
            entry,
        )
        for name, kind, flags, address, offset, size, link, info, align, entry in raw
    ]
    elf = Elf(prefix, bytearray(data[:64]), sections)
    for index, section in enumerate(sections):
        if section.type == SYMTAB:
            elf.table = index
            elf.symbols = [
                Symbol(text(section.link, name), *rest)
                for name, *rest in struct.iter_unpack(f"{prefix}IBBHQQ", section.data)
            ]
    return elf


class _Strings:
    def __init__(self) -> None:
        self.data = bytearray(1)

    def add(self, text: bytes) -> int:
        if not text:
            return 0
        at = len(self.data)
        self.data += text + b"\0"
        return at


def build(elf: Elf) -> bytes:
    """Put an object together."""
    prefix = elf.prefix
    names, symbol_names = _Strings(), _Strings()
    table = elf.sections[elf.table] if elf.table < len(elf.sections) else None
    if table is not None and table.type == SYMTAB:
        table.data = bytearray().join(
            struct.pack(
                f"{prefix}IBBHQQ",
                symbol_names.add(symbol.name),
                symbol.info & 0xFF,
                symbol.other & 0xFF,
                symbol.section & 0xFFFF,
                symbol.value & _MOST,
                symbol.size & _MOST,
            )
            for symbol in elf.symbols
        )
        table.size = len(table.data)
    # strings of symbols and of sections, in two tables of their own at the end
    own = [
        Section(b".strtab", STRTAB, 0, 0, symbol_names.data, 0, 0, 0, 1, 0),
        Section(b".shstrtab", STRTAB, 0, 0, names.data, 0, 0, 0, 1, 0),
    ]
    sections = [*elf.sections, *own]
    if table is not None and table.type == SYMTAB:
        table.link = len(sections) - 2
    offsets = [names.add(section.name) for section in sections]
    for section in own:
        section.size = len(section.data)
    body = bytearray(elf.head)
    headers: list[bytes] = []
    for name, section in zip(offsets, sections, strict=True):
        body += bytes(-len(body) % 8)
        headers.append(
            struct.pack(
                f"{prefix}IIQQQQIIQQ",
                name,
                section.type & 0xFFFFFFFF,
                section.flags & _MOST,
                section.address,
                len(body),
                section.size & _MOST,
                section.link & 0xFFFFFFFF,
                section.info & 0xFFFFFFFF,
                section.align,
                section.entry_size & _MOST,
            )
        )
        body += section.data
    body += bytes(-len(body) % 8)
    struct.pack_into(f"{prefix}Q", body, 40, len(body))
    struct.pack_into(f"{prefix}HHH", body, 58, 64, len(sections), len(sections) - 1)
    return bytes(body) + b"".join(headers)
