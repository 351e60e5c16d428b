"""Symbols of programs and libraries, built by hand and as the system has them."""

import ctypes
import struct
import subprocess
from pathlib import Path

import pytest

from skelgen.runtime.elf_symbols import ElfError, ElfSymbols, open_symbols

TEXT_ADDRESS, TEXT_OFFSET = 0x401000, 0x10
FUNC, OBJECT, IFUNC = 2, 1, 10


def build(
    symbols: list[tuple[str, int, int]],
    *,
    is_64: bool = True,
    order: str = "<",
    table_type: int = 2,
    e_type: int = 3,
) -> bytes:
    """Return an ELF file with symbols ``(name, type, address)`` in ``.text``."""
    strings = b"\0"
    table = b""
    layout = "IBBHQQ" if is_64 else "IIIBBH"
    table += struct.pack(order + layout, *([0] * 6))
    for name, kind, address in symbols:
        index = len(strings)
        strings += name.encode() + b"\0"
        fields = (
            (index, 1 << 4 | kind, 0, 1, address, 4)
            if is_64
            else (index, address, 4, 1 << 4 | kind, 0, 1)
        )
        table += struct.pack(order + layout, *fields)
    header_size = 64 if is_64 else 52
    table_at, strings_at = header_size, header_size + len(table)
    sections_at = strings_at + len(strings)
    section = "IIQQQQIIQQ" if is_64 else "IIIIIIIIII"
    headers = [
        (0,) * 10,
        (0, 1, 6, TEXT_ADDRESS, TEXT_OFFSET, 0, 0, 0, 0, 0),
        (
            *(0, table_type, 0, 0, table_at, len(table), 3, 1, 0),
            struct.calcsize(order + layout),
        ),
        (0, 3, 0, 0, strings_at, len(strings), 0, 0, 0, 0),
    ]
    size = struct.calcsize(order + section)
    ident = b"\x7fELF" + bytes([2 if is_64 else 1, 1 if order == "<" else 2, 1])
    head = struct.pack(
        order + ("HHIQQQIHHHHHH" if is_64 else "HHIIIIIHHHHHH"),
        *(e_type, 62, 1, 0, 0, sections_at, 0, header_size, 0, 0, size),
        *(len(headers), 0),
    )
    body = table + strings
    body += b"".join(struct.pack(order + section, *h) for h in headers)
    return ident.ljust(16, b"\0") + head + body


@pytest.mark.parametrize("is_64", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_function_is_found_by_file_offset(
    is_64: bool, order: str  # noqa: FBT001 (a parameter of the test)
) -> None:
    data = build(
        [("other", FUNC, 0x401000), ("main", FUNC, 0x401040), ("v", OBJECT, 0x401080)],
        is_64=is_64,
        order=order,
    )
    symbols = ElfSymbols(data, "x")
    assert symbols.find("main") == ("main", TEXT_OFFSET + 0x40, 4)
    assert [s.name for s in symbols.functions()] == ["other", "main"]
    with pytest.raises(ElfError, match="'x': no function 'v'"):
        symbols.find("v")


def test_names_that_contain_each_other() -> None:
    data = build([("domain", FUNC, 0x401000), ("main", FUNC, 0x401040)])
    assert ElfSymbols(data, "x").find("main").offset == TEXT_OFFSET + 0x40
    with pytest.raises(ElfError, match="no function 'ain'"):
        ElfSymbols(data, "x").find("ain")


def test_a_name_that_ends_anothers_shares_its_text() -> None:
    data = bytearray(build([("domain", FUNC, 0x401000), ("x", FUNC, 0x401040)]))
    # the linker lets "main" be the end of "domain"
    second = 64 + 24 * 2
    struct.pack_into("<I", data, second, 1 + 2)
    assert ElfSymbols(bytes(data), "x").find("main").offset == TEXT_OFFSET + 0x40


def test_versions_of_a_symbol() -> None:
    data = build(
        [
            ("f@OLD", FUNC, 0x401000),
            ("f@@NEW", FUNC, 0x401040),
            ("g", IFUNC, 0x401080),
        ]
    )
    symbols = ElfSymbols(data, "x")
    assert symbols.find("f").offset == TEXT_OFFSET + 0x40
    assert symbols.find("f@OLD").offset == TEXT_OFFSET
    assert symbols.find("f@@NEW").offset == TEXT_OFFSET + 0x40
    assert symbols.find("g").offset == TEXT_OFFSET + 0x80
    with pytest.raises(ElfError, match="no function 'f@NONE'"):
        symbols.find("f@NONE")


def test_several_functions_of_one_name() -> None:
    data = build([("f", FUNC, 0x401000), ("f", FUNC, 0x401040)])
    with pytest.raises(ElfError, match="at file offsets 0x10, 0x50;"):
        ElfSymbols(data, "x").find("f")
    twice = build([("f", FUNC, 0x401000), ("f", FUNC, 0x401000)])
    assert ElfSymbols(twice, "x").find("f").offset == TEXT_OFFSET


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n" + bytes(100), "not an ELF file"),
        (b"\x7fELF\3\1" + bytes(100), "unknown class or byte order"),
        (build([], e_type=1), "an object file"),
    ],
)
def test_what_is_no_program_or_library(data: bytes, text: str) -> None:
    with pytest.raises(ElfError, match=text):
        ElfSymbols(data, "x")


def test_every_damage_is_an_elf_error() -> None:
    whole = build([("main", FUNC, 0x401040), ("f@V", FUNC, 0x401000)])
    for at in range(len(whole)):
        for value in (0, 0x7F, 0xFF):
            data = bytearray(whole)
            data[at] = value
            look(bytes(data))
        look(whole[:at])


def look(data: bytes) -> None:
    """Read a file that may be broken: an answer or an ElfError, nothing else."""
    try:
        symbols = ElfSymbols(data, "x")
        list(symbols.functions())
        symbols.find("main")
    except ElfError:
        pass


def test_the_systems_c_library() -> None:
    path = next(
        line.split()[-1]
        for line in Path("/proc/self/maps").read_text("utf-8").splitlines()
        if "libc.so" in line or "libc-" in line
    )
    symbols = open_symbols(path)
    name = "getppid"
    found = symbols.find(name)
    start = next(
        int(line.split("-")[0], 16)
        for line in Path("/proc/self/maps").read_text("utf-8").splitlines()
        if path in line
    )
    function = ctypes.CDLL(None)[name]
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    # the code in memory is the code at that offset of the file
    code = ctypes.string_at(address, 16)
    assert Path(path).read_bytes()[found.offset : found.offset + 16] == code
    assert start < address


def test_a_program_that_the_compiler_made(tmp_path: Path) -> None:
    source = tmp_path / "x.c"
    source.write_text("int probe_me(void) { return 3; }\nint main(void){return 0;}\n")
    program = tmp_path / "x"
    subprocess.run(["cc", "-o", program, source], check=True)
    symbols = open_symbols(str(program))
    assert symbols.find("probe_me").offset > 0
    assert {"probe_me", "main"} <= {s.name for s in symbols.functions()}


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(ElfError, match="not an ELF file"):
        open_symbols(str(tmp_path / "x"))
