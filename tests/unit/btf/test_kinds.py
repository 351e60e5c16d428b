"""Every kind, in both byte orders: what goes in comes out, as bpftool sees it."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.btf.build import BtfBuilder
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.types import (
    Array,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Restrict,
    Struct,
    Type,
    Typedef,
    TypeTag,
    Union,
    Unknown,
    Var,
    VarSecinfo,
    Void,
    Volatile,
)
from tests.harness.btf import (
    as_bpftool,
    bpftool_types,
    btf_of,
    every_kind,
    needs_bpftool,
)
from tests.harness.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable

BYTEORDERS = ("little", "big")

EXPECTED: list[Type] = [
    Void(0, ""),
    Int(1, "int", 4, True, False, False, 32),
    Int(2, "char", 1, False, True, False, 8),
    Int(3, "_Bool", 1, False, False, True, 8),
    Int(4, "old_bits", 4, False, False, False, 3, 5),
    Ptr(5, 0),
    Array(6, 1, 1, 7),
    Struct(7, "s", 32, (Member("a", 1, 0), Member("", 6, 32))),
    Struct(
        8,
        "bits",
        8,
        (Member("x", 1, 0, 3), Member("y", 1, 3, 29), Member("z", 1, 32)),
        True,
    ),
    Struct(9, "empty", 0, ()),
    Union(10, "u", 8, (Member("a", 1, 0), Member("p", 5, 0))),
    Union(11, "ubits", 4, (Member("a", 1, 0, 5),), True),
    Enum(12, "e", 4, False, (Enumerator("E_A", 0), Enumerator("E_B", 0xFFFFFFFF))),
    Enum(13, "neg", 1, True, (Enumerator("N_A", -1), Enumerator("N_B", 0x7FFFFFFF))),
    Enum(14, "declared", 4, False, ()),
    Fwd(15, "later", False),
    Fwd(16, "later_union", True),
    Typedef(17, "t", 7),
    Volatile(18, 17),
    Const(19, 10),
    Restrict(20, 5),
    FuncProto(21, 1, (Param("first", 5), Param("", 0))),
    FuncProto(22, 0, ()),
    Func(23, "f", 21, 1),
    Func(24, "static_f", 21, 0),
    Func(25, "extern_f", 21, 2),
    Var(26, "v", 17, 1),
    Var(27, "static_v", 1, 0),
    Datasec(28, ".data.x", 36, (VarSecinfo(26, 0, 32), VarSecinfo(27, 32, 4))),
    Datasec(29, "?.struct_ops", 0, ()),
    Float(30, "double", 8),
    DeclTag(31, "tag", 7, -1),
    DeclTag(32, "member", 7, 1),
    TypeTag(33, "kptr", 7),
    Enum64(
        34,
        "e64",
        8,
        False,
        (
            Enumerator("L_A", 0),
            Enumerator("L_B", (1 << 64) - 1),
            Enumerator("L_C", 1 << 32),
        ),
    ),
    Enum64(
        35, "neg64", 8, True, (Enumerator("M_A", -1), Enumerator("M_B", -(1 << 63)))
    ),
]


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_every_kind_is_decoded(byteorder: str) -> None:
    btf = Btf(every_kind(byteorder).bytes())
    assert btf.byteorder == byteorder
    assert len(btf) == len(EXPECTED)
    assert btf.ids() == range(1, len(EXPECTED))
    assert [btf.type(type_id) for type_id in range(len(btf))] == EXPECTED
    kinds = {btf.kind(type_id) for type_id in range(len(btf))}
    assert kinds == set(Kind) - {Kind.UNKNOWN}
    for found in EXPECTED:
        assert btf.name(found.id) == getattr(found, "name", "")
        if not isinstance(found, Array | Void):
            assert btf.ref(found.id) == getattr(found, "type_id", 0)


def test_types_are_kept() -> None:
    btf = Btf(every_kind().bytes())
    assert btf.type(7) is btf.type(7)


@needs_bpftool
@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_bpftool_reads_what_the_builder_wrote(byteorder: str, tmp_path: Path) -> None:
    builder = every_kind(byteorder)
    path = tmp_path / "every.btf"
    path.write_bytes(builder.bytes())
    btf = Btf(builder.bytes())
    assert [as_bpftool(btf, type_id) for type_id in btf.ids()] == bpftool_types(path)


@needs_bpftool
@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_compiled_objects_read_as_bpftool_does(
    bpf_source: Source, byteorder: str
) -> None:
    path, btf = btf_of(bpf_source, byteorder)
    assert btf.byteorder == byteorder
    assert [as_bpftool(btf, type_id) for type_id in btf.ids()] == bpftool_types(path)


def test_attribute_tags_are_read_as_attributes() -> None:
    builder = BtfBuilder()
    base = builder.add_int("int", 4)
    decl = builder.add_decl_tag("deprecated", base, attribute=True)
    tag = builder.add_type_tag("noderef", base, attribute=True)
    btf = Btf(builder.bytes())
    assert btf.type(decl) == DeclTag(decl, "deprecated", base, -1, True)
    assert btf.type(tag) == TypeTag(tag, "noderef", base, True)


def test_newest_kinds_are_skipped_by_the_layout_section() -> None:
    """Linux 7.0 and later describe kinds, so that older readers can step over."""
    builder = BtfBuilder()
    builder.add_int("int", 4)
    builder._add(20, "future", third=1, vlen=2, payload=(1, 2, 3, 4, 5))
    last = builder.add_ptr(1)
    with pytest.raises(BtfParseError, match="kind 20 is unknown"):
        Btf(builder.bytes())
    builder._layout = bytes(4 * 20) + bytes((4, 8, 0, 0))
    btf = Btf(builder.bytes())
    assert btf.type(2) == Unknown(2, "future", 20)
    assert btf.kind(2) is Kind.UNKNOWN
    assert btf.ref(2) == 0
    assert btf.type(last) == Ptr(last, 1)
    builder._layout = bytes(4 * 20) + bytes((4, 7, 0, 0))
    with pytest.raises(BtfParseError, match="layout of odd bytes"):
        Btf(builder.bytes())


def test_a_longer_header_is_read() -> None:
    plain = every_kind().bytes()
    for extra in (bytes(4), bytes(40), b"\0" * 8 + b"news" + b"\0" * 4):
        data = bytearray(plain[:24] + extra + plain[24:])
        data[4:8] = (24 + len(extra)).to_bytes(4, "little")
        btf = Btf(data)
        assert btf.header_extra == (b"news" in extra)
        assert [btf.type(type_id) for type_id in range(len(btf))] == EXPECTED


def test_input_may_be_any_buffer() -> None:
    data = every_kind().bytes()
    for view in (data, bytearray(data), memoryview(data)):
        assert Btf(view).raw == data


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
NUMBERS = st.integers(0, 0xFFFFFFFF)
MEMBERS = st.lists(st.tuples(NAMES, st.integers(0, 1), NUMBERS), max_size=5)


@given(
    byteorder=st.sampled_from(BYTEORDERS),
    structs=st.lists(st.tuples(NAMES, NUMBERS, MEMBERS), max_size=8),
    enums=st.lists(
        st.tuples(
            NAMES, st.lists(st.tuples(NAMES, st.integers(-(1 << 63), (1 << 63) - 1)))
        ),
        max_size=4,
    ),
)
def test_builder_and_reader_agree(
    byteorder: str,
    structs: list[tuple[str, int, list[tuple[str, int, int]]]],
    enums: list[tuple[str, list[tuple[str, int]]]],
) -> None:
    builder = BtfBuilder(byteorder)
    builder.add_int("int", 4)
    expected: list[Struct | Enum64] = []
    for name, size, members in structs:
        type_id = builder.add_struct(name, size, members)
        listed = tuple(Member(*member) for member in members)
        expected.append(Struct(type_id, name, size, listed))
    for name, values in enums:
        type_id = builder.add_enum64(name, values, signed=True)
        constants = tuple(Enumerator(*value) for value in values)
        expected.append(Enum64(type_id, name, 8, True, constants))
    btf = Btf(builder.bytes())
    assert [btf.type(type_id) for type_id in btf.ids()][1:] == expected


def test_builder_refuses_what_does_not_fit() -> None:
    builder = BtfBuilder()
    changes: tuple[Callable[[], int], ...] = (
        lambda: builder.add_ptr(1 << 32),
        lambda: builder.add_ptr(-1),
        lambda: builder.add_struct("s", 4, [("a", 1, 1 << 24, 1)]),
        lambda: builder.add_func("f", 1, -1),
        lambda: builder.add_func("f", 1, 1 << 24),
        lambda: builder.add_typedef("nul\0", 1),
    )
    for add in changes:
        with pytest.raises(ValueError, match=r"fit|many|NUL"):
            add()
    with pytest.raises(KeyError):
        BtfBuilder("middle")
    assert builder.next_id == 1
    assert len(Btf(builder.bytes())) == 1


def test_builder_stores_a_string_once() -> None:
    builder = BtfBuilder()
    assert builder.add_string("x") == builder.add_string(b"x") == 1
    assert builder.add_string("") == 0
