"""BPF objects built in code: what a compiler writes, and what none would.

``ElfBuilder`` writes the file; ``Program``-level helpers below write instructions,
BTF.ext and ``.maps`` so that a test can say what matters in a few lines.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from skelgen.btf.build import BtfBuilder

PROGBITS, SYMTAB, STRTAB, RELA, NOBITS, REL = 1, 2, 3, 4, 8, 9
EXEC = 0x6  # SHF_ALLOC | SHF_EXECINSTR
ALLOC = 0x3  # SHF_WRITE | SHF_ALLOC

LOCAL, GLOBAL, WEAK = 0, 1, 2
NOTYPE, OBJECT, FUNC, SECTION = 0, 1, 2, 3
HIDDEN = 2

UNDEF, COMMON = 0, 0xFFF2


@dataclass
class _Section:
    name: str
    type: int = PROGBITS
    flags: int = 0
    data: bytes = b""
    link: int = 0
    info: int = 0
    entry_size: int = 0
    size: int | None = None
    """What the header says; ``None`` for the truth."""


@dataclass
class _Symbol:
    name: str
    section: int
    value: int
    size: int
    info: int
    other: int


class ElfBuilder:
    """An ELF object: sections, symbols and relocations as they are added."""

    def __init__(self, byteorder: str = "little") -> None:
        self.byteorder = byteorder
        self.prefix = {"little": "<", "big": ">"}[byteorder]
        self.machine = 247
        self.type = 1
        self.sections = [_Section("", type=0)]
        self.symbols = [_Symbol("", 0, 0, 0, 0, 0)]

    def section(
        self,
        name: str,
        data: bytes = b"",
        *,
        type: int = PROGBITS,  # noqa: A002 - as in the header
        flags: int = 0,
        size: int | None = None,
        info: int = 0,
        entry_size: int = 0,
    ) -> int:
        """Add a section; return its number."""
        self.sections.append(
            _Section(name, type, flags, data, 0, info, entry_size, size)
        )
        return len(self.sections) - 1

    def code(self, name: str, data: bytes) -> int:
        """Add a section of instructions."""
        return self.section(name, data, flags=EXEC)

    def symbol(
        self,
        name: str,
        section: int,
        value: int = 0,
        size: int = 0,
        *,
        bind: int = GLOBAL,
        type: int = NOTYPE,  # noqa: A002 - as in the symbol
        other: int = 0,
    ) -> int:
        """Add a symbol; return its number."""
        info = bind << 4 | type
        self.symbols.append(_Symbol(name, section, value, size, info, other))
        return len(self.symbols) - 1

    def function(
        self,
        name: str,
        section: int,
        value: int,
        size: int,
        *,
        bind: int = GLOBAL,
        other: int = 0,
    ) -> int:
        """Add a function symbol."""
        return self.symbol(
            name, section, value, size, bind=bind, type=FUNC, other=other
        )

    def section_symbol(self, section: int) -> int:
        """Add the symbol that stands for a section."""
        return self.symbol("", section, bind=LOCAL, type=SECTION)

    def extern(self, name: str, *, bind: int = GLOBAL) -> int:
        """Add a symbol that something else has to provide."""
        return self.symbol(name, UNDEF, bind=bind)

    def relocate(
        self, section: int, entries: Iterable[tuple[int, int]], rel_type: int = 1
    ) -> int:
        """Add relocations ``(offset, symbol)`` of a section."""
        data = b"".join(
            struct.pack(f"{self.prefix}QQ", offset, symbol << 32 | rel_type)
            for offset, symbol in entries
        )
        name = ".rel" + self.sections[section].name
        return self.section(name, data, type=REL, info=section, entry_size=16)

    def license(self, text: bytes = b"GPL\0") -> int:
        """Add the licence."""
        return self.section("license", text)

    def btf(self, builder: BtfBuilder) -> int:
        """Add ``.BTF``."""
        return self.section(".BTF", builder.bytes())

    def bytes(self) -> bytes:
        """Return the file."""
        strings = _Strings()
        symbols = b"".join(
            struct.pack(
                f"{self.prefix}IBBHQQ",
                strings.add(symbol.name),
                symbol.info,
                symbol.other,
                symbol.section,
                symbol.value,
                symbol.size,
            )
            for symbol in self.symbols
        )
        count = len(self.sections)
        sections = [
            *self.sections,
            _Section(".symtab", SYMTAB, 0, symbols, count + 1, 1, 24),
            _Section(".strtab", STRTAB),
        ]
        names = [strings.add(section.name) for section in sections]
        sections[-1].data = bytes(strings.data)
        body = bytearray(64)
        headers: list[bytes] = []
        for name, section in zip(names, sections, strict=True):
            body += bytes(-len(body) % 8)
            size = len(section.data) if section.size is None else section.size
            headers.append(
                struct.pack(
                    f"{self.prefix}IIQQQQIIQQ",
                    name,
                    section.type,
                    section.flags,
                    0,
                    len(body),
                    size,
                    section.link,
                    section.info,
                    8,
                    section.entry_size,
                )
            )
            body += section.data
        body += bytes(-len(body) % 8)
        ident = b"\x7fELF\x02" + bytes((1 if self.byteorder == "little" else 2, 1))
        body[:64] = ident.ljust(16, b"\0") + struct.pack(
            f"{self.prefix}HHIQQQIHHHHHH",
            self.type,
            self.machine,
            1,
            0,
            0,
            len(body),
            0,
            64,
            0,
            0,
            64,
            len(sections),
            len(sections) - 1,
        )
        return bytes(body) + b"".join(headers)


@dataclass
class _Strings:
    data: bytearray = field(default_factory=lambda: bytearray(1))

    def add(self, text: str) -> int:
        if not text:
            return 0
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


class Asm:
    """Instructions in one byte order."""

    def __init__(self, byteorder: str = "little") -> None:
        self._big = byteorder == "big"
        self._form = struct.Struct(">BBhi" if self._big else "<BBhi")

    def insn(
        self, code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0
    ) -> bytes:
        """Return one instruction."""
        registers = dst << 4 | src if self._big else src << 4 | dst
        return self._form.pack(code, registers, off, imm)

    def exit(self) -> bytes:
        """Return ``exit``."""
        return self.insn(0x95)

    def mov(self, dst: int, imm: int) -> bytes:
        """Return ``dst = imm``."""
        return self.insn(0xB7, dst, imm=imm)

    def call(self, imm: int = -1) -> bytes:
        """Return a call of a BPF function."""
        return self.insn(0x85, src=1, imm=imm)

    def helper(self, number: int) -> bytes:
        """Return a call of a helper."""
        return self.insn(0x85, imm=number)

    def load64(self, dst: int = 1, imm: int = 0, *, src: int = 0) -> bytes:
        """Return a 64-bit load of an immediate, two instructions long."""
        return self.insn(0x18, dst, src, imm=imm) + self.insn(0)


def btf_ext(
    btf: BtfBuilder,
    functions: dict[str, Sequence[tuple[int, int]]] | None = None,
    lines: dict[str, Sequence[tuple[int, int, int, int]]] | None = None,
    core: dict[str, Sequence[tuple[int, int, int, int]]] | None = None,
) -> bytes:
    """Return BTF.ext from records by section; offsets count bytes, as clang's do."""
    prefix = {"little": "<", "big": ">"}[btf.byteorder]
    body = b""
    places: list[int] = []
    for words, groups in ((2, functions), (4, lines), (4, core)):
        part = b""
        if groups:
            part = struct.pack(f"{prefix}I", 4 * words)
            for name, records in groups.items():
                part += struct.pack(f"{prefix}II", btf.add_string(name), len(records))
                for record in records:
                    part += struct.pack(f"{prefix}{words}I", *record)
        places += (len(body), len(part))
        body += part
    return struct.pack(f"{prefix}HBBI6I", 0xEB9F, 1, 0, 32, *places) + body


class MapBtf:
    """BTF of maps, as ``__uint()``, ``__type()``, ``__array()`` make it."""

    def __init__(self, byteorder: str = "little") -> None:
        self.btf = BtfBuilder(byteorder)
        self.int = self.btf.add_int("int", 4, signed=True)
        self.long = self.btf.add_int("long", 8, signed=True)
        self._vars: list[tuple[str, int, int]] = []

    def uint(self, value: int) -> int:
        """Return the type of ``__uint(name, value)``."""
        return self.btf.add_ptr(self.btf.add_array(self.int, self.int, value))

    def ptr(self, type_id: int) -> int:
        """Return the type of ``__type(name, T)``."""
        return self.btf.add_ptr(type_id)

    def array(self, type_id: int) -> int:
        """Return the type of ``__array(name, T)``: pointers to T."""
        return self.btf.add_array(self.btf.add_ptr(type_id), self.int, 0)

    def struct(self, members: dict[str, int]) -> int:
        """Return a map's struct."""
        return self.btf.add_struct(
            "",
            8 * len(members),
            [
                (name, type_id, 64 * i)
                for i, (name, type_id) in enumerate(members.items())
            ],
        )

    def map(self, name: str, struct_id: int, size: int, *, linkage: int = 1) -> None:
        """Declare a map."""
        var = self.btf.add_var(name, struct_id, linkage)
        self._vars.append((name, var, size))

    def finish(self, elf: ElfBuilder) -> dict[str, int]:
        """Add ``.maps``, its symbols and ``.BTF``; return symbols by name."""
        total = sum(size for _, _, size in self._vars)
        section = elf.section(".maps", bytes(total), flags=ALLOC)
        self.btf.add_datasec(
            ".maps", 0, [(var, 0, size) for _, var, size in self._vars]
        )
        symbols: dict[str, int] = {}
        offset = 0
        for name, _, size in self._vars:
            symbols[name] = elf.symbol(name, section, offset, size, type=OBJECT)
            offset += size
        elf.btf(self.btf)
        return symbols
