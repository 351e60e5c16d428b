"""ELF headers, sections, symbols and relocations of a BPF object.

Plain :mod:`struct` code: pyelftools needs 31 ms to import and about as long to
walk one object, and a BPF object needs four tables of fixed layout only. DWARF,
which is another matter, is read through pyelftools in :mod:`skelgen.elf.dwarf`.

Every offset and size comes from an untrusted file and is checked before use; any
fault is an :class:`~skelgen.errors.ObjectError` naming section and offset.
See elf(5) for the layouts.
"""

import struct
from typing import NamedTuple

from skelgen.errors import ObjectError

ET_REL = 1
EM_NONE = 0
EM_BPF = 247

SHT_NULL = 0
SHT_PROGBITS = 1
SHT_SYMTAB = 2
SHT_STRTAB = 3
SHT_RELA = 4
SHT_NOBITS = 8
SHT_REL = 9

SHF_ALLOC = 0x2
SHF_EXECINSTR = 0x4
SHF_COMPRESSED = 0x800

SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00
SHN_ABS = 0xFFF1
SHN_COMMON = 0xFFF2
SHN_XINDEX = 0xFFFF

STB_LOCAL = 0
STB_GLOBAL = 1
STB_WEAK = 2

STT_NOTYPE = 0
STT_OBJECT = 1
STT_FUNC = 2
STT_SECTION = 3

STV_INTERNAL = 1
STV_HIDDEN = 2

_EHDR_SIZE = 64
_SHDR_SIZE = 64
_SYM_SIZE = 24
_REL_SIZES = {SHT_REL: 16, SHT_RELA: 24}

# Longer than any name that the kernel (KSYM_NAME_LEN 512) or a C compiler makes.
_MAX_NAME = 2048
# Names may be the tails of others, as linkers make them; but a small file could ask for
# far more than it has. So many times its size is what all of them may come to.
_OVERLAP = 8


class Section(NamedTuple):
    """A section header, with its number and its name."""

    number: int
    name: str
    type: int
    flags: int
    offset: int
    """Place of the contents in the file."""
    size: int
    link: int
    info: int
    entry_size: int

    @property
    def executable(self) -> bool:
        """Whether it holds instructions."""
        return self.type == SHT_PROGBITS and bool(self.flags & SHF_EXECINSTR)


class Symbol(NamedTuple):
    """An entry of the symbol table; :meth:`ElfFile.symbol_name` gives its name."""

    name_offset: int
    info: int
    other: int
    section: int
    """Index of the section it is defined in, or an ``SHN_*`` value."""
    value: int
    size: int

    @property
    def type(self) -> int:
        """``STT_*``."""
        return self.info & 0xF

    @property
    def bind(self) -> int:
        """``STB_*``."""
        return self.info >> 4

    @property
    def hidden(self) -> bool:
        """Whether its visibility keeps it inside the object."""
        return self.other & 3 in {STV_HIDDEN, STV_INTERNAL}

    @property
    def is_extern(self) -> bool:
        """Whether something outside the object has to provide it."""
        return (
            self.section == SHN_UNDEF
            and self.type == STT_NOTYPE
            and self.bind in {STB_GLOBAL, STB_WEAK}
        )


class Relocation(NamedTuple):
    """An entry of a ``SHT_REL`` section, whose addend is in the relocated bytes.

    Or one of ``SHT_RELA``, without its addend.
    """

    offset: int
    """Byte offset in the section that is relocated."""
    type: int
    """``R_BPF_*``."""
    symbol: int
    """Index in ``ElfFile.symbols``."""


class ElfFile:
    """The facts of an ELF object: headers parsed, contents on demand."""

    __slots__ = (
        "_by_name",
        "_names",
        "_room",
        "_symbol_names",
        "byteorder",
        "data",
        "prefix",
        "sections",
        "symbols",
    )

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.byteorder, section_table = _read_header(data)
        self.prefix = "<" if self.byteorder == "little" else ">"
        """Byte order for :mod:`struct` formats."""
        self._names: dict[tuple[int, int], str] = {}
        self._room = 4096 + _OVERLAP * len(data)
        self.sections = self._read_sections(*section_table)
        self._by_name: dict[str, Section] = {}
        for section in self.sections:
            self._by_name.setdefault(section.name, section)
        self.symbols: list[Symbol] = self._read_symbols()

    def section(self, name: str) -> Section | None:
        """Return the first section of that name."""
        return self._by_name.get(name)

    def content(self, section: Section) -> bytes:
        """Return the bytes of a section; empty for ``SHT_NOBITS``."""
        if section.type == SHT_NOBITS or not section.size:
            return b""
        end = section.offset + section.size
        if end > len(self.data):
            raise ObjectError(
                f"truncated: section ends at byte {end} of the file, which has {len(self.data)}",
                section=section.name,
                offset=0,
            )
        return self.data[section.offset : end]

    def symbol_name(self, symbol: Symbol) -> str:
        """Return a symbol's name; that of its section for ``STT_SECTION``."""
        if symbol.type == STT_SECTION and not symbol.name_offset:
            if symbol.section < len(self.sections):
                return self.sections[symbol.section].name
            return ""
        return self._string(self._symbol_names, symbol.name_offset)

    def relocations(self, section: Section) -> list[Relocation]:
        """Return the entries of a relocation section, each naming a real symbol."""
        size = _REL_SIZES[section.type]
        if section.entry_size != size or section.size % size:
            raise ObjectError(
                f"relocation section of {section.size} bytes is not made of {size}-byte entries",
                section=section.name,
                offset=0,
            )
        relocations: list[Relocation] = []
        count = len(self.symbols)
        form = f"{self.prefix}QQ{size - 16}x"
        entries = struct.iter_unpack(form, self.content(section))
        for number, (offset, info) in enumerate(entries):
            if info >> 32 >= count:
                raise ObjectError(
                    f"relocation against symbol {info >> 32}, but there are only {count}",
                    section=section.name,
                    offset=number * size,
                )
            relocations.append(Relocation(offset, info & 0xFFFFFFFF, info >> 32))
        return relocations

    def _read_sections(self, table: int, count: int, names: int) -> list[Section]:
        """Read the section headers; `names` is the index of their string table."""
        raw = list(
            struct.iter_unpack(
                f"{self.prefix}IIQQQQIIQQ",
                self.data[table : table + count * _SHDR_SIZE],
            )
        )
        if names >= count:
            raise ObjectError(
                f"section names are in section {names}, but there are only {count}"
            )
        _, kind, _, _, offset, size, *_ = raw[names]
        if kind == SHT_NOBITS or offset + size > len(self.data):
            raise ObjectError("section names lie outside the file: truncated?")
        strings = Section(names, "section names", kind, 0, offset, size, 0, 0, 0)
        sections = [
            Section(
                index,
                self._string(strings, entry[0]),
                entry[1],
                entry[2],
                entry[4],
                entry[5],
                entry[6],
                entry[7],
                entry[9],
            )
            for index, entry in enumerate(raw)
        ]
        # Sections that share bytes are harmless by themselves, but let a small
        # file describe a huge object.
        used = sum(s.size for s in sections if s.type not in {SHT_NULL, SHT_NOBITS})
        if used > len(self.data):
            raise ObjectError(
                f"truncated: sections claim {used} bytes of a file of {len(self.data)}"
            )
        return sections

    def _read_symbols(self) -> list[Symbol]:
        tables = [s for s in self.sections if s.type == SHT_SYMTAB]
        if not tables:
            raise ObjectError("no symbol table; is the object stripped?")
        table = tables[0]
        if len(tables) > 1:
            raise ObjectError("more than one symbol table", section=tables[1].name)
        if table.entry_size != _SYM_SIZE or table.size % _SYM_SIZE:
            raise ObjectError(
                f"symbol table of {table.size} bytes is not made of {_SYM_SIZE}-byte entries",
                section=table.name,
                offset=0,
            )
        if (
            not 0 < table.link < len(self.sections)
            or self.sections[table.link].type != SHT_STRTAB
        ):
            raise ObjectError(
                f"symbol names are in section {table.link}, which is no string table",
                section=table.name,
            )
        self._symbol_names = self.sections[table.link]
        entries = struct.iter_unpack(f"{self.prefix}IBBHQQ", self.content(table))
        return list(map(Symbol._make, entries))

    def _string(self, table: Section, offset: int) -> str:
        """Return the NUL-terminated string at `offset` of a string table."""
        key = (table.number, offset)
        name = self._names.get(key)
        if name is None:
            if not table.size and not offset:
                return ""
            start = table.offset + offset
            limit = min(table.offset + table.size, len(self.data))
            end = self.data.find(b"\0", start, min(limit, start + _MAX_NAME))
            if start >= limit or end < 0:
                raise ObjectError(
                    "name lies outside the string table, has no end or is too long",
                    section=table.name,
                    offset=offset,
                )
            self._room -= end - start
            if self._room < 0:
                raise ObjectError("names overlap without measure", section=table.name)
            # Names in BPF objects are ASCII; whatever else stays printable.
            name = self.data[start:end].decode("utf-8", "backslashreplace")
            self._names[key] = name
        return name


def _read_ident(data: bytes) -> str:
    """Check the first bytes of an object; return its byte order."""
    if data[:4] != b"\x7fELF":
        raise ObjectError("not an ELF object")
    if len(data) < _EHDR_SIZE:
        raise ObjectError(f"truncated: {len(data)} bytes are no ELF header")
    if data[4] != 2:  # EI_CLASS, ELFCLASS64
        raise ObjectError("not a 64-bit ELF object")
    try:
        return {1: "little", 2: "big"}[data[5]]  # EI_DATA
    except KeyError:
        raise ObjectError(f"unknown byte order {data[5]}") from None


def _read_header(data: bytes) -> tuple[str, tuple[int, int, int]]:
    """Check the ELF header; return byte order and (offset, count, names index)."""
    byteorder = _read_ident(data)
    prefix = "<" if byteorder == "little" else ">"
    kind, machine, _, _, _, table, _, _, _, _, entry, count, names = struct.unpack_from(
        f"{prefix}HHIQQQIHHHHHH", data, 16
    )
    if machine not in {EM_NONE, EM_BPF}:  # clang before 3.9 wrote EM_NONE
        raise ObjectError(
            f"not a BPF object: its machine is {machine}, not {EM_BPF} (EM_BPF); "
            "compile with clang -target bpf"
        )
    if kind != ET_REL:
        raise ObjectError(f"not a relocatable object: its type is {kind}, not ET_REL")
    if not table:
        raise ObjectError("no section headers")
    if entry != _SHDR_SIZE:
        raise ObjectError(f"section headers of {entry} bytes, not {_SHDR_SIZE}")
    if table + _SHDR_SIZE > len(data):
        raise ObjectError("truncated: section headers lie outside the file")
    # Counts that do not fit their 16 bits are in the first section header.
    size, link = struct.unpack_from(f"{prefix}QI", data, table + 32)
    count = count or size
    names = link if names == SHN_XINDEX else names
    if not count or table + count * _SHDR_SIZE > len(data):
        raise ObjectError(
            f"truncated: {count} section headers at byte {table} of a file of {len(data)}"
        )
    return byteorder, (table, count, names)
