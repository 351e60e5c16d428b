"""Functions of programs and libraries, by name and place."""

import os
import re
import struct

import pytest

from skelgen.runtime.binaries.elf import ElfError, ElfFile
from tests.harness.elf_files import (
    ABS,
    CODE,
    CODE_OFFSET,
    CODE_SIZE,
    DATA,
    LOCAL,
    NOTYPE,
    WEAK,
    Builder,
    Sym,
)
from tests.harness.versioned_elf import refused, symbols_of, versioned, with_symtab

pytestmark = pytest.mark.any_kernel


def test_names_that_contain_each_other_are_told_apart() -> None:
    data = with_symtab(Sym("domain"), Sym("main", CODE + 0x40), Sym("mainly", CODE))
    assert symbols_of(data).find("main").offset == CODE_OFFSET + 0x40
    assert refused(data, "ain").startswith("'x': no function 'ain'")


def test_a_name_that_ends_anothers_shares_its_text() -> None:
    builder = Builder()
    builder.symtab([Sym("domain"), Sym("x", CODE + 0x40)])
    data = bytearray(builder.build())
    # the linker lets "main" be the end of "domain"
    struct.pack_into("<I", data, builder.sections[3][2] + 2 * 24, 1 + 2)
    assert symbols_of(bytes(data)).find("main").offset == CODE_OFFSET + 0x40


def test_several_functions_of_one_name_are_refused_with_offsets() -> None:
    data = with_symtab(Sym("f", bind=LOCAL), Sym("f", CODE + 0x40, bind=LOCAL))
    assert "several functions 'f', at file offsets 0x1000, 0x1040;" in refused(
        data, "f"
    )
    twice = with_symtab(Sym("f"), Sym("f"))
    assert symbols_of(twice).find("f").offset == CODE_OFFSET


def test_a_global_name_goes_before_a_weak_and_a_local_one() -> None:
    local, weak = Sym("f", bind=LOCAL), Sym("f", CODE + 0x20, bind=WEAK)
    for symbols in ([local, weak], [weak, local]):
        assert symbols_of(with_symtab(*symbols)).find("f").offset == CODE_OFFSET + 0x20
    data = with_symtab(local, Sym("f", CODE + 0x40), weak)
    assert symbols_of(data).find("f").offset == CODE_OFFSET + 0x40


def test_every_name_of_a_place_is_looked_at() -> None:
    symbols = symbols_of(with_symtab(Sym("__f"), Sym("f"), Sym("g", CODE + 8)))
    assert [s.name for s in symbols.functions()] == ["__f", "f", "g"]


# -- places --------------------------------------------------------------------


@pytest.mark.parametrize("e_type", [2, 3])
@pytest.mark.parametrize("section", [1, 2, ABS, 0xFFFF, 0x1234])
def test_no_section_says_where_code_is(e_type: int, section: int) -> None:
    data = with_symtab(Sym("f", CODE + 0x40, section=section), e_type=e_type)
    assert symbols_of(data).find("f").offset == CODE_OFFSET + 0x40


@pytest.mark.parametrize("address", [0, CODE - 1, CODE + CODE_SIZE, DATA, 2**63])
def test_a_function_that_is_not_in_the_files_code_is_refused(address: int) -> None:
    data = with_symtab(Sym("f", address), Sym("g"))
    text = f"'x': function 'f' is at {address:#x}, where the file has no code"
    assert refused(data, "f").startswith(text)
    assert [s.name for s in symbols_of(data).functions()] == ["g"]


def test_a_label_can_be_attached_to_by_offset() -> None:
    data = with_symtab(Sym("label", CODE + 8, NOTYPE))
    assert refused(data, "label") == (
        "'x': no function 'label': it is a symbol without a type; attach by offset"
        " 0x1008"
    )


def test_more_sections_than_a_header_can_count_are_read() -> None:
    builder = Builder()
    builder.symtab([Sym("f")])
    data = builder.build(count_in_first=True)
    assert struct.unpack_from("<H", data, 60) == (0,)
    assert symbols_of(data).find("f").offset == CODE_OFFSET


def test_a_file_without_symbols_is_said_to_be_stripped() -> None:
    for data in (Builder().build(), Builder().build(section_headers=False)):
        assert refused(data, "f") == (
            "'x': no function 'f': it has no symbols (it is stripped); attach by offset"
        )
        assert list(symbols_of(data).functions()) == []


def test_symbols_that_cannot_be_counted_are_said_to_be_so() -> None:
    data = versioned(hashes="none", section_headers=False)
    assert "its dynamic symbols cannot be counted" in refused(data, "f")
    # where section headers are there, they tell
    assert symbols_of(versioned(hashes="none")).find("f").version == "V2"


def test_broken_section_headers_do_not_hide_dynamic_symbols() -> None:
    data = bytearray(versioned())
    struct.pack_into("<Q", data, 40, len(data) - 8)  # e_shoff
    assert symbols_of(bytes(data)).find("f").version == "V2"
    assert refused(bytes(data), "g") == (
        "'x': no function 'g' (its table of section headers reaches past its end)"
    )


# -- what is no program --------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n" + bytes(100), "not an ELF file"),
        (b"\x7fELF\3\1" + bytes(100), "unknown class or byte order"),
        (b"\x7fELF\2\1" + bytes(20), "its header"),
        (Builder(e_type=1).build(), "an object file, not a program or library"),
        (Builder(e_type=4).build(), "a core file, not a program or library"),
        (Builder(e_type=9).build(), "an unknown kind of file"),
    ],
)
def test_what_is_no_program_or_library_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(ElfError, match=f"'x': {re.escape(text)}"):
        ElfFile.of_bytes(data, "x")


def test_no_program_headers_is_no_code() -> None:
    builder = Builder()
    builder.symtab([Sym("f")])
    assert "where the file has no code" in refused(builder.build(segments=False), "f")


def test_code_runs_here_if_it_is_of_this_machine() -> None:
    builder = Builder()
    assert ElfFile.of_bytes(builder.build(), "x").runs_here() == (
        os.uname().machine in {"x86_64", "i686"}
    )
    builder.machine = 0xF7F7
    assert not ElfFile.of_bytes(builder.build(), "x").runs_here()
    other = Builder(order=">")
    other.machine = 22
    assert ElfFile.of_bytes(other.build(), "x").runs_here() == (
        os.uname().machine == "s390x"
    )
