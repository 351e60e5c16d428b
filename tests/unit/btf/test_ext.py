"""BTF.ext: records by section, in both byte orders, long and broken ones."""

import random
import struct

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.errors import BtfParseError
from skelgen.btf.ext import BtfExt, CoreRelo, FuncInfo, LineInfo, by_section
from skelgen.btf.parse import Btf
from skelgen.btf.types import Func
from tests.harness.btf import btf_of, elf_section
from tests.harness.sources import Source

BYTEORDERS = ("little", "big")
PREFIX = {"little": "<", "big": ">"}

Groups = list[tuple[int, list[tuple[int, ...]]]]


def records(byteorder: str, size: int, groups: Groups) -> bytes:
    """Return one kind of records, each filled up to ``size`` bytes."""
    prefix = PREFIX[byteorder]
    found = struct.pack(prefix + "I", size)
    for name_off, listed in groups:
        found += struct.pack(prefix + "2I", name_off, len(listed))
        for record in listed:
            packed = struct.pack(f"{prefix}{len(record)}I", *record)
            found += packed.ljust(size, b"\xee")
    return found


def ext(
    byteorder: str = "little", *, grow: int = 0, header: int = 32, core: bool = True
) -> bytes:
    parts = [
        records(byteorder, 8 + grow, [(1, [(0, 3), (16, 4)]), (6, [(0, 5)])]),
        records(byteorder, 16 + grow, [(1, [(0, 9, 10, 7 << 10 | 3)])]),
        records(byteorder, 16 + grow, [(6, [(8, 2, 11, 0)])]) if core else b"",
    ]
    prefix = PREFIX[byteorder]
    places: list[int] = []
    at = 0
    for part in parts[: (header - 8) // 8]:
        places += (at, len(part))
        at += len(part)
    head = struct.pack(prefix + "HBBI", 0xEB9F, 1, 0, header)
    head += struct.pack(f"{prefix}{len(places)}I", *places)
    return head.ljust(header, b"\0") + b"".join(parts)


@pytest.mark.parametrize("grow", [0, 4, 16])
@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_records_are_read_section_by_section(byteorder: str, grow: int) -> None:
    found = BtfExt(ext(byteorder, grow=grow), byteorder)
    assert found.func_info == (
        (1, (FuncInfo(0, 3), FuncInfo(16, 4))),
        (6, (FuncInfo(0, 5),)),
    )
    assert found.line_info == ((1, (LineInfo(0, 9, 10, 7 << 10 | 3),)),)
    assert found.core_relo == ((6, (CoreRelo(8, 2, 11, 0),)),)
    line = found.line_info[0].records[0]
    assert (line.line, line.column) == (7, 3)


def test_names_of_sections_come_from_btf() -> None:
    builder = BtfBuilder()
    builder.add_string("text")
    builder.add_string("tc")
    btf = Btf(builder.bytes())
    found = BtfExt(ext())
    assert by_section(btf, found.core_relo) == {"tc": (CoreRelo(8, 2, 11, 0),)}
    assert by_section(btf, found.func_info + found.func_info[:1]) == {
        "text": (FuncInfo(0, 3), FuncInfo(16, 4)) * 2,
        "tc": (FuncInfo(0, 5),),
    }


def test_short_and_long_headers_are_read() -> None:
    """Before CO-RE the header had 24 bytes; it may grow again."""
    old = BtfExt(ext(header=24, core=False))
    assert old.core_relo == ()
    assert old.func_info
    new = BtfExt(ext(header=48))
    assert new.core_relo == BtfExt(ext()).core_relo


def test_no_records_are_three_empty_tuples() -> None:
    empty = struct.pack("<HBBI6I", 0xEB9F, 1, 0, 32, *(0,) * 6)
    found = BtfExt(empty)
    assert (found.func_info, found.line_info, found.core_relo) == ((), (), ())


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_a_cut_at_every_byte_is_refused_with_an_offset(byteorder: str) -> None:
    data = ext(byteorder)
    for length in range(len(data)):
        with pytest.raises(BtfParseError) as caught:
            BtfExt(data[:length], byteorder)
        assert caught.value.offset is not None


@pytest.mark.parametrize(
    ("at", "value", "text"),
    [
        (0, 0x00010000, "no magic number"),
        (0, 0x0002EB9F, "version 2"),
        (0, 0x0101EB9F, "flags 0x1"),
        (4, 20, "header of 20 bytes"),
        (4, 4000, "header of 4000 bytes"),
        (8, 2, "not within"),
        (8, 0xFFFFFFFC, "not within"),
        (12, 0xFFFFFFFF, "not within"),
        (12, 3, "no record size"),
        (12, 8, "a group is cut off"),
        (32, 4, "records of 4 bytes"),
        (32, 9, "records of 9 bytes"),
        (32, 0xFFFFFFFC, "2 records in"),
        (40, 0, "0 records in"),
        (40, 0xFFFFFFFF, "4294967295 records in"),
    ],
)
def test_broken_words_are_refused(at: int, value: int, text: str) -> None:
    data = bytearray(ext())
    data[at : at + 4] = value.to_bytes(4, "little")
    with pytest.raises(BtfParseError, match=text):
        BtfExt(data)


def test_the_other_byte_order_is_refused() -> None:
    with pytest.raises(BtfParseError, match="or the other byte order"):
        BtfExt(ext("big"), "little")


def test_changed_bytes_give_records_or_one_error() -> None:
    data = ext()
    chance = random.Random(3)  # noqa: S311 - a test
    for _ in range(3000):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 2, 8))):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            found = BtfExt(broken)
        except BtfParseError:
            continue
        assert len(found.func_info) <= len(data)


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_records_of_compiled_objects_fit_their_btf(
    bpf_source: Source, byteorder: str
) -> None:
    path, btf = btf_of(bpf_source, byteorder)
    data = elf_section(path, ".BTF.ext")
    if not data:
        assert not any(isinstance(btf.type(i), Func) for i in btf.ids())
        return
    found = BtfExt(data, byteorder)
    text = bpf_source.path.read_text("utf-8")
    for functions in by_section(btf, found.func_info).values():
        for info in functions:
            assert info.insn_off % 8 == 0
            assert isinstance(btf.type(info.type_id), Func)
    for lines in by_section(btf, found.line_info).values():
        assert list(lines) == sorted(lines, key=lambda line: line.insn_off)
        for line in lines:
            if btf.string(line.file_name_off).endswith(bpf_source.path.name):
                assert btf.string(line.line_off) in text
                assert line.line <= text.count("\n")
    for relos in by_section(btf, found.core_relo).values():
        for relo in relos:
            assert 0 <= relo.kind <= 12
            parts = btf.string(relo.access_str_off).split(":")
            assert all(part.isdigit() for part in parts)
            assert btf.kind(relo.type_id).name != "VOID"
