"""A cut BTF has what relocations use, and refuses what cannot be kept."""

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.minimize import BadRelocationError, Unmet
from skelgen.btf.core.reloc import CoreRelo, Value
from skelgen.btf.errors import BtfParseError
from skelgen.btf.index import KernelBtf
from skelgen.btf.parse import Btf
from skelgen.btf.types import Array, Enum, Kind, Struct, Union
from skelgen.btf.verify import check
from tests.harness.cut_btf import K, assert_same, cut


def task(b: BtfBuilder) -> dict[str, int]:
    """Add a task as a kernel has it."""
    int_ = b.add_int("int", 4, signed=True)
    pid_t = b.add_typedef("pid_t", b.add_const(int_))
    char = b.add_int("char", 1, char=True)
    comm = b.add_array(char, int_, 16)
    state = b.add_enum("state", [("S_RUN", 0), ("S_WAIT", 1), ("S_DEAD", 2)])
    head = b.add_struct("list_head", 16)
    self = b.next_id + 1
    ptr = b.add_ptr(self)
    struct = b.add_struct(
        "task",
        128,
        [
            ("pid", pid_t, 0),
            ("state", state, 32),
            ("parent", ptr, 64),
            ("", b.next_id + 1, 128),
            ("comm", comm, 256),
            ("flag", int_, 512, 3),
            ("tail", head, 640),
        ],
    )
    b.add_union("", 8, [("inner", int_, 0), ("other", ptr, 0)])
    return {"task": struct, "int": int_, "state": state, "ptr": ptr}


def local_task() -> tuple[BtfBuilder, int]:
    b = BtfBuilder()
    int_ = b.add_int("int", 4, signed=True)
    array = b.add_array(b.add_int("char", 1), int_, 16)
    struct = b.add_struct(
        "task___mine",
        64,
        [
            ("pid", int_, 0),
            ("parent", b.add_ptr(0), 64),
            ("inner", int_, 128),
            ("comm", array, 160),
            ("flag", int_, 320, 3),
            ("missing", int_, 384),
        ],
    )
    return b, struct


def test_members_that_are_used_are_kept_and_no_others() -> None:
    source = BtfBuilder()
    task(source)
    local, struct = local_task()
    part, unmet = cut(
        source,
        local,
        (struct, "0:0", K.FIELD_BYTE_OFFSET),
        (struct, "0:1", K.FIELD_BYTE_OFFSET),
        (struct, "0:2", K.FIELD_EXISTS),
        (struct, "0:4", K.FIELD_LSHIFT_U64),
    )
    assert not unmet
    found = part.type(part.find("task", Kind.STRUCT) or 0)
    assert isinstance(found, Struct)
    assert found.size == 128
    assert [(one.name, one.bit_offset, one.bitfield_size) for one in found.members] == [
        ("pid", 0, 0),
        ("parent", 64, 0),
        ("", 128, 0),
        ("flag", 512, 3),
    ]
    pid, parent, anonymous, _ = (one.type_id for one in found.members)
    assert part.name(pid) == "int"  # no typedef, no qualifier
    assert (part.kind(parent), part.ref(parent)) == (Kind.PTR, 0)
    inside = part.type(anonymous)
    assert isinstance(inside, Union)
    assert [(one.name, inside.size) for one in inside.members] == [("inner", 8)]
    assert part.find("state") is part.find("char") is None
    assert len(part) == 1 + 4


def test_an_element_that_is_used_keeps_its_array() -> None:
    source = BtfBuilder()
    task(source)
    local, struct = local_task()
    part, _ = cut(source, local, (struct, "0:3:5", K.FIELD_BYTE_OFFSET))
    found = part.type(part.find("task") or 0)
    assert isinstance(found, Struct)
    array = part.type(found.members[0].type_id)
    assert isinstance(array, Array)
    assert array.nelems == 16
    assert part.name(array.type_id) == "char"


def test_constants_that_are_used_are_kept_and_no_others() -> None:
    source = BtfBuilder()
    task(source)
    local = BtfBuilder()
    state = local.add_enum("state", [("S_DEAD___x", 5), ("S_GONE", 6)])
    part, unmet = cut(
        source,
        local,
        (state, "0", K.ENUMVAL_VALUE),
        (state, "1", K.ENUMVAL_EXISTS),
        (state, "1", K.ENUMVAL_VALUE),
    )
    found = part.type(part.find("state") or 0)
    assert isinstance(found, Enum)
    assert found.values == (("S_DEAD", 2),)
    assert unmet == [Unmet("state::S_GONE", "not in the BTF", guarded=True)]


def test_whole_types_have_no_members() -> None:
    source = BtfBuilder()
    task(source)
    local, struct = local_task()
    for kind in (K.TYPE_EXISTS, K.TYPE_SIZE):
        part, unmet = cut(source, local, (struct, "0", kind))
        assert not unmet
        found = part.type(1)
        assert isinstance(found, Struct)
        assert found == (1, "task", 128, (), False)
        assert len(part) == 2


def test_types_that_match_have_what_is_declared() -> None:
    source = BtfBuilder()
    task(source)
    local = BtfBuilder()
    int_ = local.add_int("int", 4, signed=True)
    ptr = local.add_ptr(local.next_id + 1)
    struct = local.add_struct("task", 16, [("pid", int_, 0), ("parent", ptr, 64)])
    part, _ = cut(source, local, (struct, "0", K.TYPE_MATCHES))
    found = part.type(part.find("task") or 0)
    assert isinstance(found, Struct)
    assert [one.name for one in found.members] == ["pid", "parent"]
    assert part.ref(found.members[1].type_id) == found.id


def test_a_refusal_stays_one() -> None:
    """``void *`` is no ``struct task *``, which a cut pointer must not hide."""
    source = BtfBuilder()
    task(source)
    local = BtfBuilder()
    struct = local.add_struct("task", 16, [("parent", local.add_ptr(0), 64)])
    relos = [
        CoreRelo(0, struct, "0:0", K.FIELD_BYTE_OFFSET),
        CoreRelo(1, struct, "0", K.TYPE_MATCHES),
    ]
    part, _ = cut(source, local, *(relo[1:] for relo in relos))
    own, whole = Btf(local.bytes()), KernelBtf(source.bytes())
    field, matches = assert_same(own, whole, part, relos)
    assert isinstance(field, Value)
    assert field.new == 8
    assert isinstance(matches, Value)
    assert matches.new == 0


def test_every_type_of_that_name_is_kept() -> None:
    """One field is in two types, the next in the second only."""
    source = BtfBuilder()
    int_ = source.add_int("int", 4)
    source.add_struct("s", 8, [("a", int_, 0)])
    source.add_struct("s", 8, [("a", int_, 0), ("b", int_, 32)])
    local = BtfBuilder()
    int_ = local.add_int("int", 4)
    struct = local.add_struct("s", 8, [("a", int_, 0), ("b", int_, 32)])
    relos = [CoreRelo(0, struct, f"0:{at}", K.FIELD_BYTE_OFFSET) for at in (0, 1)]
    part, unmet = cut(source, local, *(relo[1:] for relo in relos))
    assert not unmet
    assert len(part.candidates("s", Kind.STRUCT)) == 2
    values = assert_same(
        Btf(local.bytes()), KernelBtf(source.bytes()), part, relos[::-1]
    )
    assert [value.new for value in values if isinstance(value, Value)] == [4, 0]


def test_an_open_array_in_the_middle_has_no_elements() -> None:
    """Elements of ``int a[0]`` count where it ends its struct, and there alone."""
    source = BtfBuilder()
    int_ = source.add_int("int", 4)
    array = source.add_array(int_, int_, 0)
    source.add_struct("s", 8, [("a", array, 0), ("b", int_, 0), ("c", int_, 32)])
    local = BtfBuilder()
    int_ = local.add_int("int", 4)
    array = local.add_array(int_, int_, 0)
    struct = local.add_struct("s", 8, [("a", array, 0)])
    relos = [
        CoreRelo(0, struct, "0:0", K.FIELD_BYTE_OFFSET),
        CoreRelo(1, struct, "0:0:3", K.FIELD_BYTE_OFFSET),
    ]
    part, unmet = cut(source, local, *(relo[1:] for relo in relos))
    assert unmet == [Unmet("s.a[3]", "not in the BTF")]
    assert_same(Btf(local.bytes()), KernelBtf(source.bytes()), part, relos)


# -- what cannot be kept --------------------------------------------------------


def test_relocations_that_cannot_be_met_are_reported_once() -> None:
    source = BtfBuilder()
    task(source)
    local, struct = local_task()
    part, unmet = cut(
        source,
        local,
        (struct, "0:5", K.FIELD_BYTE_OFFSET),
        (struct, "0:5", K.FIELD_BYTE_SIZE),
        (struct, "0", K.TYPE_ID_TARGET),
        (struct, "0", K.TYPE_ID_LOCAL),
        (struct, "0", K.TYPE_EXISTS),
    )
    assert [one.access for one in unmet] == ["task___mine.missing", "task___mine"]
    assert "number of a type" in unmet[1].why
    assert not any(one.guarded for one in unmet)
    assert part.find("task") == 1


def test_types_that_disagree_stay_refused_and_are_reported() -> None:
    source = BtfBuilder()
    int_ = source.add_int("int", 4)
    source.add_struct("s", 8, [("a", int_, 0)])
    source.add_struct("s", 8, [("a", int_, 32)])
    local = BtfBuilder()
    struct = local.add_struct("s", 8, [("a", local.add_int("int", 4), 0)])
    relo = CoreRelo(0, struct, "0:0", K.FIELD_BYTE_OFFSET)
    part, unmet = cut(source, local, relo[1:])
    assert "which disagree" in unmet[0].why
    (value,) = assert_same(Btf(local.bytes()), KernelBtf(source.bytes()), part, [relo])
    assert value == "refused"


@pytest.mark.parametrize(
    ("relo", "message"),
    [
        ((3, "0:9", K.FIELD_BYTE_OFFSET), "no member number 9"),
        ((3, "0", 99), "unknown kind 99"),
        ((3, "x", K.FIELD_EXISTS), "no list of numbers"),
        ((2, "0", K.TYPE_EXISTS), "anonymous types"),
    ],
)
def test_nonsense_is_refused_with_its_section_and_offset(
    relo: tuple[int, str, int], message: str
) -> None:
    local = BtfBuilder()
    int_ = local.add_int("int", 4)
    local.add_ptr(int_)
    local.add_struct("s", 4, [("a", int_, 0)])
    with pytest.raises(BadRelocationError, match=message) as caught:
        cut(BtfBuilder(), local, (3, "0:0", K.FIELD_EXISTS), relo)
    assert (caught.value.section, caught.value.offset) == ("tp/x", 8)


def test_a_type_that_is_not_there_is_refused() -> None:
    with pytest.raises(BtfParseError, match="no type 7"):
        cut(BtfBuilder(), BtfBuilder(), (7, "0", K.TYPE_EXISTS))


def test_a_source_type_that_is_no_data_is_unmet() -> None:
    source = BtfBuilder()
    proto = source.add_func_proto(0)
    source.add_struct("s", 8, [("f", source.add_func("f", proto), 0)])
    local = BtfBuilder()
    field = local.add_struct("", 4)
    struct = local.add_struct("s", 8, [("f", field, 0)])
    part, unmet = cut(source, local, (struct, "0", K.TYPE_MATCHES))
    assert "is a FUNC" in unmet[0].why
    check(part)


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_the_part_has_the_byte_order_of_the_source(byteorder: str) -> None:
    source = BtfBuilder(byteorder)
    task(source)
    local, struct = local_task()
    part, _ = cut(source, local, (struct, "0:0", K.FIELD_BYTE_OFFSET))
    assert part.byteorder == byteorder
    assert len(part) == 3
