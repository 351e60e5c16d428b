"""BTF of other languages is given to the kernel as C would have it."""

import sys
from pathlib import Path

import pytest

from skelgen import read_object
from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.btf.types import (
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    FuncProto,
    Int,
    Struct,
    Union,
)
from skelgen.btf.verify import check
from skelgen.runtime.kernel.names import kernel_name
from skelgen.runtime.load.btf_foreign import adapt
from tests.harness import sources

FOREIGN = sorted((sources.DATA / "objects" / "foreign").glob("*.o"))


def adapted(builder: BtfBuilder) -> Btf:
    """Return what is given to the kernel; all that the kernel looks at is checked."""
    data = adapt(builder.bytes())
    assert data is not None
    btf = Btf(data)
    check(btf)
    assert adapt(data) is None
    return btf


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_names_of_every_kind_are_made_good(byteorder: str) -> None:
    b = BtfBuilder(byteorder)
    b.add_string("of a line of source")
    int_id = b.add_int("unsigned int", 4)  # nobody looks at that
    struct = b.add_struct(
        "Pair<u32, u64>", 8, [("field one", int_id, 0), ("b", int_id, 32)]
    )
    union = b.add_union("MaybeUninit<u8>", 4, [("0", int_id, 0)])
    enum = b.add_enum("a::E", [("very low", 0), ("2high", 1)])
    enum64 = b.add_enum64("a::F", [("x.y", 1 << 40)])
    fwd = b.add_fwd("Fwd<T>")
    typedef = b.add_typedef("T<1>", int_id)
    proto = b.add_func_proto(int_id, [("self.x", int_id), ("", int_id)])
    func = b.add_func("{impl#0}::run", proto)
    var = b.add_var("total-sum", int_id)
    static = b.add_var("run.counter", int_id)
    section = b.add_datasec(".data.a-b", 8, [(var, 0, 4), (static, 4, 4)])
    btf = adapted(b)
    assert [btf.name(n) for n in (struct, union, enum, enum64, fwd, typedef)] == [
        "Pair_u32_u64",
        "MaybeUninit_u8",
        "a_E",
        "a_F",
        "Fwd_T",
        "T_1",
    ]
    assert [btf.name(n) for n in (func, var, static, section, int_id)] == [
        "impl_0_run",
        "total_sum",
        "run.counter",
        ".data.a_b",
        "unsigned int",
    ]
    found = btf.type(struct)
    assert isinstance(found, Struct)
    assert [member.name for member in found.members] == ["field_one", "b"]
    other = btf.type(union)
    assert isinstance(other, Union)
    assert [member.name for member in other.members] == ["c_0"]
    values = btf.type(enum), btf.type(enum64)
    assert isinstance(values[0], Enum)
    assert isinstance(values[1], Enum64)
    assert [value.name for one in values for value in one.values] == [
        "very_low",
        "c_2high",
        "x_y",
    ]
    made = btf.type(proto)
    assert isinstance(made, FuncProto)
    assert [param.name for param in made.params] == ["self_x", ""]
    data = btf.type(section)
    assert isinstance(data, Datasec)
    assert [(place.type_id, place.offset) for place in data.vars] == [
        (var, 0),
        (static, 4),
    ]


def test_what_c_writes_is_left_alone() -> None:
    assert adapt(sources_btf("types_structs")) is None


def sources_btf(name: str) -> bytes:
    spec = read_object(sources.compiled(sources.find(name)))
    assert spec.btf is not None
    return bytes(spec.view(spec.btf))


def test_old_strings_stay() -> None:
    """Lines of source are found by their offsets."""
    b = BtfBuilder()
    line = b.add_string("pub struct A<B> {")
    b.add_struct("A<B>", 0, [])
    data = b.bytes()
    btf = adapted(b)
    assert btf.string(line) == "pub struct A<B> {"
    assert btf.string_bytes.startswith(Btf(data).string_bytes)


def test_pointers_and_their_like_lose_their_names() -> None:
    b = BtfBuilder()
    int_id = b.add_int("int", 4)
    ids = [b.add_ptr(int_id), b.add_const(int_id), b.add_volatile(int_id)]
    data = bytearray(b.bytes())
    plain = Btf(bytes(data))
    for type_id in ids:  # as rustc does it
        at = plain.offset(type_id)
        data[at : at + 4] = (1).to_bytes(4, sys.byteorder)
    clean = adapt(bytes(data))
    assert clean is not None
    assert clean == b.bytes()


@pytest.mark.parametrize("kflag", [False, True])
def test_members_are_in_order_and_tags_stay_with_theirs(*, kflag: bool) -> None:
    b = BtfBuilder()
    int_id = b.add_int("int", 4)
    width = (3,) if kflag else ()
    struct = b.add_struct(
        "s", 12, [("c", int_id, 64, *width), ("a", int_id, 0), ("b", int_id, 32)]
    )
    tags = [b.add_decl_tag(name, struct, n) for n, name in enumerate("cab")]
    whole = b.add_decl_tag("all", struct, -1)
    btf = adapted(b)
    found = btf.type(struct)
    assert isinstance(found, Struct)
    assert [(m.name, m.bit_offset) for m in found.members] == [
        ("a", 0),
        ("b", 32),
        ("c", 64),
    ]
    for type_id in tags:
        tag = btf.type(type_id)
        assert isinstance(tag, DeclTag)
        assert found.members[tag.component_index].name == tag.name
    tag = btf.type(whole)
    assert isinstance(tag, DeclTag)
    assert tag.component_index == -1


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_a_base_class_gets_a_type(byteorder: str) -> None:
    b = BtfBuilder(byteorder)
    int_id = b.add_int("int", 4)
    struct = b.add_struct("Event", 8, [("", 0, 0), ("p", int_id, 32)])
    before = len(Btf(b.bytes()))
    btf = adapted(b)
    found = btf.type(struct)
    assert isinstance(found, Struct)
    assert found.members[0].type_id == before
    byte = btf.type(before)
    assert isinstance(byte, Int)
    assert (byte.size, btf.name(int_id)) == (1, "int")


def test_names_that_are_too_long_are_cut() -> None:
    b = BtfBuilder()
    struct = b.add_struct("x" * 5000, 0, [])
    assert adapted(b).name(struct) == "x" * 127


def test_many_tails_of_one_string_take_little() -> None:
    b = BtfBuilder()
    text = b.add_string("<" * 100_000)
    for _ in range(5000):
        b.add_struct("", 0, [])
    data = bytearray(b.bytes())
    plain = Btf(bytes(data))
    for type_id in plain.ids():
        at = plain.offset(type_id)
        data[at : at + 4] = (text + 7 * type_id).to_bytes(4, sys.byteorder)
    clean = adapt(bytes(data))
    assert clean is not None
    assert len(clean) < len(data) + 5000 * 128


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_objects_of_other_languages_are_adapted(path: Path) -> None:
    spec = read_object(path)
    assert spec.btf is not None
    data = adapt(bytes(spec.view(spec.btf)))
    assert data is not None
    check(Btf(data))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("count", "count"),
        ("my events", "my_events"),
        ("a.b", "a.b"),
        ("ä" * 20, "_" * 15),
    ],
)
def test_names_of_maps_and_programs_are_made_good(name: str, wanted: str) -> None:
    assert kernel_name(name) == wanted
