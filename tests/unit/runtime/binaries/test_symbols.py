"""Functions of programs and libraries: of files built by hand, and the system's."""

import contextlib
import ctypes
import os
import random
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from skelgen.runtime.binaries.elf import ElfError, ElfFile, OpenedElf
from skelgen.runtime.binaries.symbols import ElfSymbols, Symbol
from tests.harness.elf_files import (
    ABS,
    CODE,
    CODE_OFFSET,
    CODE_SIZE,
    DATA,
    IFUNC,
    LOCAL,
    NOTYPE,
    OBJECT,
    UNDEF,
    WEAK,
    Builder,
    Sym,
)

pytestmark = pytest.mark.any_kernel

FORMS = [(True, "<"), (True, ">"), (False, "<"), (False, ">")]
HIDDEN = 0x8000
VERSIONED = [
    Sym("getpid", 0, section=UNDEF, version=4),
    Sym("f", CODE + 0x10, version=2 | HIDDEN),
    Sym("f", CODE + 0x20, version=3),
    Sym("old", CODE + 0x30, version=2 | HIDDEN),
    Sym("two", CODE + 0x40, version=2 | HIDDEN),
    Sym("two", CODE + 0x50, version=3 | HIDDEN),
    Sym("plain", CODE + 0x60),
    Sym("value", DATA, OBJECT, version=3),
]


def symbols_of(data: bytes) -> ElfSymbols:
    return ElfSymbols(ElfFile.of_bytes(data, "x"))


def versioned(
    *,
    is_64: bool = True,
    order: str = "<",
    hashes: str = "gnu",
    section_headers: bool = True,
) -> bytes:
    builder = Builder(is_64=is_64, order=order)
    builder.dynamic(
        VERSIONED,
        versions=["V1", "V2"],
        needed=[("GLIBC_2.2.5", "libc.so.6")],
        libraries=["libc.so.6", "libm.so.6"],
        hashes=hashes,
    )
    return builder.build(section_headers=section_headers)


def with_symtab(*symbols: Sym, e_type: int = 3) -> bytes:
    builder = Builder(e_type=e_type)
    builder.symtab(symbols)
    return builder.build()


def refused(data: bytes, name: str) -> str:
    with pytest.raises(ElfError) as caught:
        symbols_of(data).find(name)
    return str(caught.value)


# -- versions ------------------------------------------------------------------


@pytest.mark.parametrize(("is_64", "order"), FORMS)
@pytest.mark.parametrize("hashes", ["gnu", "sysv", "gnu sysv"])
@pytest.mark.parametrize("section_headers", [True, False])
def test_a_version_is_beside_the_name(
    is_64: bool,  # noqa: FBT001 (a parameter of the test)
    order: str,
    hashes: str,
    section_headers: bool,  # noqa: FBT001 (likewise)
) -> None:
    data = versioned(
        is_64=is_64, order=order, hashes=hashes, section_headers=section_headers
    )
    symbols = symbols_of(data)
    first, second = CODE_OFFSET + 0x10, CODE_OFFSET + 0x20
    assert symbols.find("f") == Symbol("f", second, 4, "V2")
    assert symbols.find("f@V2").offset == symbols.find("f@@V2").offset == second
    assert symbols.find("f@V1").offset == symbols.find("f@@V1").offset == first
    assert symbols.find("old") == Symbol("old", CODE_OFFSET + 0x30, 4, "V1")
    assert symbols.find("plain") == Symbol("plain", CODE_OFFSET + 0x60, 4)
    assert [s.offset for s in symbols.find_all(["plain", "f@V1", "f"])] == [
        CODE_OFFSET + 0x60,
        first,
        second,
    ]
    assert [(s.name, s.version) for s in symbols.functions()] == [
        *(("f", "V1"), ("f", "V2"), ("old", "V1"), ("two", "V1"), ("two", "V2")),
        ("plain", ""),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f@V9", "no version 'V9' of function 'f'; there is 'f@@V2' and 'f@V1'"),
        ("f@@V9", "no version 'V9' of function 'f'; there is 'f@@V2' and 'f@V1'"),
        ("f@", "function 'f@': no version behind the @; 'f' alone is the default one"),
        ("f@@", "function 'f@@': no version behind the @; 'f' alone is"),
        ("old@V2", "no version 'V2' of function 'old'; there is 'old@V1'"),
        (
            "plain@V1",
            "no version 'V1' of function 'plain', which has no versions here;",
        ),
        (
            "two",
            "several versions of function 'two', none of them the default;",
        ),
        (
            "getpid",
            "'getpid' is an imported symbol; the function is in libc.so.6: attach there",
        ),
        ("getpid@GLIBC_2.2.5", "'getpid' is an imported symbol; the function is in"),
        ("value", "no function 'value': it is a variable"),
        ("", "no function ''"),
        (
            "planes",
            "no function 'planes' among those it exports; others have no name",
        ),
    ],
)
def test_what_is_said_of_a_function_that_is_not_there(name: str, text: str) -> None:
    assert refused(versioned(), name).startswith(f"'x': {text}")


def test_the_advice_names_what_can_be_given() -> None:
    data = versioned()
    assert refused(data, "plain@V1").endswith("; give 'plain'")
    assert refused(data, "two").endswith("; give 'two@V1' or 'two@V2'")
    assert refused(data, "planes").endswith("(it is stripped); did you mean 'plain'?")
    assert symbols_of(data).find("two@V1").offset == CODE_OFFSET + 0x40


def test_an_import_without_a_version_may_be_of_any_library() -> None:
    builder = Builder()
    builder.dynamic(
        [Sym("f", 0, section=UNDEF)],
        libraries=["liba.so.1", "libb.so.2"],
        hashes="sysv",
    )
    text = "'x': 'f' is an imported symbol; the function is in liba.so.1 or libb.so.2"
    assert refused(builder.build(), "f").startswith(text)


def test_versions_in_names_are_those_of_symtab() -> None:
    data = with_symtab(
        Sym("f@OLD", CODE), Sym("f@@NEW", CODE + 0x40), Sym("g", CODE + 0x80, IFUNC)
    )
    symbols = symbols_of(data)
    assert symbols.find("f").offset == CODE_OFFSET + 0x40
    assert symbols.find("f@OLD").offset == CODE_OFFSET
    assert symbols.find("f@@NEW").offset == CODE_OFFSET + 0x40
    assert symbols.find("g") == Symbol("g", CODE_OFFSET + 0x80, 4, resolver=True)
    assert refused(data, "f@NONE") == (
        "'x': no version 'NONE' of function 'f'; there is 'f@@NEW' and 'f@OLD'"
    )


def test_what_is_exported_goes_before_what_only_symtab_has() -> None:
    builder = Builder()
    builder.dynamic([Sym("f", CODE + 0x10)])
    builder.symtab([Sym("f", CODE + 0x20, bind=LOCAL), Sym("g", CODE + 0x30)])
    symbols = symbols_of(builder.build())
    assert symbols.find("f").offset == CODE_OFFSET + 0x10
    assert symbols.find("g").offset == CODE_OFFSET + 0x30


# -- names ---------------------------------------------------------------------


def test_names_that_contain_each_other() -> None:
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


def test_several_functions_of_one_name() -> None:
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
def test_a_function_that_is_not_in_the_files_code(address: int) -> None:
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


def test_more_sections_than_a_header_can_count() -> None:
    builder = Builder()
    builder.symtab([Sym("f")])
    data = builder.build(count_in_first=True)
    assert struct.unpack_from("<H", data, 60) == (0,)
    assert symbols_of(data).find("f").offset == CODE_OFFSET


def test_a_file_without_symbols() -> None:
    for data in (Builder().build(), Builder().build(section_headers=False)):
        assert refused(data, "f") == (
            "'x': no function 'f': it has no symbols (it is stripped); attach by offset"
        )
        assert list(symbols_of(data).functions()) == []


def test_symbols_that_cannot_be_counted() -> None:
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
def test_what_is_no_program_or_library(data: bytes, text: str) -> None:
    with pytest.raises(ElfError, match=f"'x': {re.escape(text)}"):
        ElfFile.of_bytes(data, "x")


def test_no_program_headers_is_no_code() -> None:
    builder = Builder()
    builder.symtab([Sym("f")])
    assert "where the file has no code" in refused(builder.build(segments=False), "f")


def test_whose_code_runs_here() -> None:
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


# -- hostile files -------------------------------------------------------------


def look(data: bytes) -> None:
    """Read a file that may be broken: an answer or an ElfError, nothing else."""
    try:
        symbols = symbols_of(data)
    except ElfError:
        return
    for name in ("main", "f", "f@V1", "getpid", "value"):
        with contextlib.suppress(ElfError):
            symbols.find(name)
    with contextlib.suppress(ElfError):
        list(symbols.functions())


def interesting(data: bytes) -> Iterator[int]:
    """Iterate over the bytes that are not padding, and a few that are."""
    yield from range(0x100)
    yield from range(0x2000, len(data))


@pytest.mark.parametrize(("is_64", "order"), FORMS)
def test_every_damage_is_an_elf_error(
    is_64: bool, order: str  # noqa: FBT001 (a parameter of the test)
) -> None:
    builder = Builder(is_64=is_64, order=order)
    builder.dynamic(VERSIONED, versions=["V1", "V2"], needed=[("A", "b.so")])
    builder.symtab([Sym("main"), Sym("f@V1")])
    whole = builder.build()
    for at in interesting(whole):
        for value in (0, 0x7F, 0xFF):
            data = bytearray(whole)
            data[at] = value
            look(bytes(data))
        look(whole[:at])


def test_values_that_do_not_belong_there() -> None:
    rng = random.Random(8)  # noqa: S311 - the same each time
    whole = versioned()
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            at = rng.choice(
                [rng.randrange(0x100), rng.randrange(0x2000, len(data) - 8)]
            )
            value = rng.choice(
                [0, 1, 2**32 - 1, 2**63, 2**64 - 1, len(data), DATA, CODE]
            )
            struct.pack_into("<Q", data, at // 8 * 8, value)
        look(bytes(data))


def test_chains_that_share_their_links_end() -> None:
    builder = Builder()
    # a version that is needed again and again, by records that overlap
    needs = struct.pack("<HHIII", 1, 1, 0, 16, 16) * 20_000
    symbols = [Sym("f", version=2)]
    builder.dynamic(symbols, needed=[("A", "b.so")])
    tags = dict(builder.tags)
    at = builder.put(needs)
    tags[0x6FFFFFFE] = builder.address(at)
    builder.tags = list(tags.items())
    look(builder.build(section_headers=False))


def test_names_that_share_a_long_text_are_bounded() -> None:
    builder = Builder()
    builder.symtab([Sym("n" * 60_000), *(Sym("x") for _ in range(2000))])
    data = bytearray(builder.build())
    for index in range(2, 2002):
        struct.pack_into(
            "<I", data, builder.sections[3][2] + index * 24, index % 100 + 1
        )
    with pytest.raises(ElfError, match="share their names' text"):
        list(symbols_of(bytes(data)).functions())


# -- files of the system -------------------------------------------------------


def libraries() -> list[str]:
    """Return the C and C++ libraries of this machine."""
    folder = f"/usr/lib/{os.uname().machine}-linux-gnu"
    names = ("libc.so.6", "libpthread.so.0", "libm.so.6", "libstdc++.so.6")
    found = [f"{folder}/{name}" for name in names if Path(folder, name).exists()]
    return (
        found
        or [
            line.split()[-1]
            for line in Path("/proc/self/maps").read_text("utf-8").splitlines()
            if "libc.so" in line
        ][:1]
    )


def read_by_readelf(path: str) -> dict[str, int]:
    """Return the file offset of each function, by name and version."""

    def readelf(option: str) -> list[list[str]]:
        command = ["readelf", "--wide", option, path]
        text = subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout
        return [line.split() for line in text.splitlines()]

    loads = [
        tuple(int(field, 16) for field in (row[2], row[1], row[4]))
        for row in readelf("--segments")
        if row[:1] == ["LOAD"]
    ]
    found: dict[str, int] = {}
    for row in readelf("--dyn-syms"):
        if len(row) >= 8 and row[3] in {"FUNC", "IFUNC"} and row[6] != "UND":
            value = int(row[1], 16)
            found[row[7]] = next(
                value - address + offset
                for address, offset, size in loads
                if address <= value < address + size
            )
    return found


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf")
@pytest.mark.parametrize("path", libraries())
def test_every_function_of_a_library_by_every_form_of_its_name(path: str) -> None:
    wanted = dict(read_by_readelf(path))
    for name, offset in list(wanted.items()):
        if "@@" in name:
            wanted[name.replace("@@", "@")] = offset
            wanted[name.partition("@")[0]] = offset
    assert len(wanted) > 10
    with OpenedElf(path) as file:
        symbols = ElfSymbols(file)
        found = symbols.find_all(wanted)
    assert {n: s.offset for n, s in zip(wanted, found, strict=True)} == wanted


def test_the_systems_c_library() -> None:
    path = next(
        line.split()[-1]
        for line in Path("/proc/self/maps").read_text("utf-8").splitlines()
        if "libc.so" in line or "libc-" in line
    )
    with OpenedElf(path) as file:
        found = ElfSymbols(file).find("getppid")
    function = ctypes.CDLL(None)["getppid"]
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    # the code in memory is the code at that offset of the file
    code = ctypes.string_at(address, 16)
    assert Path(path).read_bytes()[found.offset : found.offset + 16] == code


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["-no-pie"],
        ["-m32"],
        ["-Wl,--hash-style=sysv"],
        ["-static"],
        ["-s", "-rdynamic"],
    ],
    ids=" ".join,
)
def test_a_program_that_the_compiler_made(tmp_path: Path, flags: list[str]) -> None:
    source = tmp_path / "x.c"
    source.write_text(
        'int mark(void) { __asm__(".byte 0x90,0x90"); return 0x71727374; }\n'
        "int main(void) { return mark(); }\n"
    )
    program = tmp_path / "x"
    command = ["cc", "-fPIC", *flags, "-o", str(program), str(source)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"this compiler does not take {flags}")
    with OpenedElf(str(program)) as file:
        found = ElfSymbols(file).find("mark")
    code = program.read_bytes()[found.offset : found.offset + found.size]
    assert (0x71727374).to_bytes(4, "little") in code


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    for path in (tmp_path / "x", tmp_path):
        with pytest.raises(ElfError, match="not a regular file"):
            OpenedElf(str(path))


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(ElfError, match="not an ELF file"):
        OpenedElf(str(tmp_path / "x"))


def test_a_file_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    builder = Builder()
    builder.symtab([Sym("f")])
    builder.sections[3] = (*builder.sections[3][:3], 1 << 39, *builder.sections[3][4:])
    path = tmp_path / "x"
    path.write_bytes(builder.build())
    os.truncate(path, 1 << 40)
    with (
        OpenedElf(str(path)) as file,
        pytest.raises(ElfError, match="549755813888 byte"),
    ):
        ElfSymbols(file).find("f")
