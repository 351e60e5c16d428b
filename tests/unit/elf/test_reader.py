"""ELF headers, sections, symbols and relocations; each fault by its name."""

import struct

import pytest

from skelgen.elf.reader import ElfFile, Relocation
from skelgen.errors import ObjectError
from tests.harness import elf_builder as eb

BOTH = pytest.mark.parametrize("byteorder", ["little", "big"])


def patched(data: bytes, form: str, offset: int, *values: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<" + form, changed, offset, *values)
    return bytes(changed)


def small(byteorder: str = "little") -> bytes:
    elf = eb.ElfBuilder(byteorder)
    elf.license()
    return elf.bytes()


@BOTH
def test_sections_symbols_and_relocations_are_read(byteorder: str) -> None:
    asm = eb.Asm(byteorder)
    builder = eb.ElfBuilder(byteorder)
    code = builder.code("xdp", asm.load64() + asm.exit())
    bss = builder.section(".bss", type=eb.NOBITS, size=4096)
    builder.function("main", code, 0, 24)
    hidden = builder.symbol("x", bss, 8, 4, type=eb.OBJECT, other=eb.HIDDEN)
    outside = builder.extern("y", bind=eb.WEAK)
    of_bss = builder.section_symbol(bss)
    rel = builder.relocate(code, [(0, hidden), (8, outside)], rel_type=10)
    elf = ElfFile(builder.bytes())
    assert elf.byteorder == byteorder
    assert [section.name for section in elf.sections[:4]] == [
        "",
        "xdp",
        ".bss",
        ".relxdp",
    ]
    assert elf.sections[code].executable
    assert not elf.sections[bss].executable
    assert elf.section(".bss") is elf.sections[bss]
    assert elf.section("none") is None
    assert elf.content(elf.sections[code]) == asm.load64() + asm.exit()
    assert elf.content(elf.sections[bss]) == b""
    assert elf.sections[bss].size == 4096
    symbol = elf.symbols[hidden]
    assert (elf.symbol_name(symbol), symbol.value, symbol.size) == ("x", 8, 4)
    assert (symbol.type, symbol.bind) == (eb.OBJECT, eb.GLOBAL)
    assert symbol.hidden
    assert not symbol.is_extern
    assert elf.symbols[outside].is_extern
    assert not elf.symbols[0].is_extern
    assert elf.symbol_name(elf.symbols[of_bss]) == ".bss"
    assert elf.relocations(elf.sections[rel]) == [
        Relocation(0, 10, hidden),
        Relocation(8, 10, outside),
    ]


@BOTH
def test_counts_that_do_not_fit_are_in_the_first_header(byteorder: str) -> None:
    prefix = "<" if byteorder == "little" else ">"
    data = bytearray(small(byteorder))
    (table,) = struct.unpack_from(f"{prefix}Q", data, 40)
    count, names = struct.unpack_from(f"{prefix}HH", data, 60)
    struct.pack_into(f"{prefix}HH", data, 60, 0, 0xFFFF)
    struct.pack_into(f"{prefix}QI", data, table + 32, count, names)
    # A size of section 0 is a count; it is no size.
    assert [s.name for s in ElfFile(bytes(data)).sections[1:]] == [
        "license",
        ".symtab",
        ".strtab",
    ]


def test_a_file_of_old_clang_without_a_machine_is_read() -> None:
    builder = eb.ElfBuilder()
    builder.machine = 0
    assert ElfFile(builder.bytes()).sections[1].name == ".symtab"


def test_names_that_are_no_utf8_stay_printable() -> None:
    data = small().replace(b"license\0", b"lic\xffnse\0")
    assert ElfFile(data).sections[1].name == "lic\\xffnse"


FAULTS = {
    "empty": (b"", "not an ELF object"),
    "text": (b"#!/bin/sh\n" * 20, "not an ELF object"),
    "header_cut": (small()[:63], "truncated: 63 bytes are no ELF header"),
    "elf32": (patched(small(), "B", 4, 1), "not a 64-bit ELF object"),
    "byte_order": (patched(small(), "B", 5, 3), "unknown byte order 3"),
    "machine": (patched(small(), "H", 18, 62), "machine is 62, not 247"),
    "executable": (patched(small(), "H", 16, 2), "not a relocatable object"),
    "no_sections": (patched(small(), "Q", 40, 0), "no section headers"),
    "header_size": (patched(small(), "H", 58, 40), "section headers of 40 bytes"),
    "table_outside": (
        patched(small(), "Q", 40, 1 << 62),
        "section headers lie outside the file",
    ),
    "table_cut": (small()[:-1], "truncated: 4 section headers"),
    "count": (patched(small(), "H", 60, 0xFF00), "truncated: 65280 section headers"),
    "names_index": (
        patched(small(), "H", 62, 9),
        "section names are in section 9, but there are only 4",
    ),
    "names_of_nobits": (patched(small(), "H", 62, 0), "name lies outside"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_header_is_refused(name: str) -> None:
    data, message = FAULTS[name]
    with pytest.raises(ObjectError) as caught:
        ElfFile(data)
    assert message in str(caught.value)


def header_of(data: bytes, section: int) -> int:
    (table,) = struct.unpack_from("<Q", data, 40)
    return table + 64 * section


def test_a_file_without_a_symbol_table_is_refused() -> None:
    data = small()
    data = patched(data, "I", header_of(data, 2) + 4, 0x6FFF4C03)
    with pytest.raises(ObjectError, match="no symbol table; is the object stripped"):
        ElfFile(data)


def test_two_symbol_tables_are_refused() -> None:
    builder = eb.ElfBuilder()
    builder.section(".symtab2", type=eb.SYMTAB, entry_size=24)
    with pytest.raises(ObjectError, match="more than one symbol table"):
        ElfFile(builder.bytes())


@pytest.mark.parametrize("link", [0, 1, 99])
def test_symbol_names_outside_a_string_table_are_refused(link: int) -> None:
    data = small()
    data = patched(data, "I", header_of(data, 2) + 40, link)
    with pytest.raises(ObjectError, match="which is no string table"):
        ElfFile(data)


def test_symbols_of_odd_size_are_refused() -> None:
    data = small()
    data = patched(data, "Q", header_of(data, 2) + 32, 25)
    with pytest.raises(ObjectError, match="not made of 24-byte entries"):
        ElfFile(data)


def test_a_section_name_outside_its_table_is_refused() -> None:
    data = small()
    data = patched(data, "I", header_of(data, 1), 1 << 30)
    with pytest.raises(ObjectError, match="name lies outside the string table"):
        ElfFile(data)


def test_a_name_without_end_is_refused() -> None:
    data = bytearray(small())
    strings, size = struct.unpack_from("<QQ", data, header_of(data, 3) + 24)
    data[strings + size - 1] = ord("x")
    with pytest.raises(ObjectError, match="has no end or is too long"):
        ElfFile(bytes(data))


def test_a_name_of_a_megabyte_is_refused() -> None:
    builder = eb.ElfBuilder()
    builder.section("x" * (1 << 20))
    with pytest.raises(ObjectError, match="has no end or is too long"):
        ElfFile(builder.bytes())


def test_sections_that_share_bytes_are_refused() -> None:
    builder = eb.ElfBuilder()
    for number in range(4):
        builder.section(f".data.{number}", bytes(1000))
    data = builder.bytes()
    for number in range(2, 5):
        start = header_of(data, number) + 24
        data = patched(data, "QQ", start, 64, 4000)
    with pytest.raises(ObjectError, match="truncated: sections claim"):
        ElfFile(data)


def test_contents_outside_the_file_are_refused() -> None:
    builder = eb.ElfBuilder()
    number = builder.section("license", b"GPL\0")
    data = builder.bytes()
    data = patched(data, "Q", header_of(data, number) + 24, len(data) - 2)
    elf = ElfFile(data)
    with pytest.raises(ObjectError, match="truncated: section ends at byte") as caught:
        elf.content(elf.sections[number])
    assert (caught.value.section, caught.value.offset) == ("license", 0)


def test_a_relocation_against_no_symbol_is_refused() -> None:
    builder = eb.ElfBuilder()
    code = builder.code("xdp", bytes(16))
    rel = builder.relocate(code, [(0, 0), (8, 77)])
    elf = ElfFile(builder.bytes())
    with pytest.raises(ObjectError, match="symbol 77, but there are only 1") as caught:
        elf.relocations(elf.sections[rel])
    assert (caught.value.section, caught.value.offset) == (".relxdp", 16)


@pytest.mark.parametrize(("size", "entry"), [(16, 24), (24, 16)])
def test_relocations_of_odd_size_are_refused(size: int, entry: int) -> None:
    builder = eb.ElfBuilder()
    rel = builder.section(".relxdp", bytes(size), type=eb.REL, entry_size=entry)
    elf = ElfFile(builder.bytes())
    with pytest.raises(ObjectError, match="not made of 16-byte entries"):
        elf.relocations(elf.sections[rel])
