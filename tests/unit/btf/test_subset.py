"""A part of some BTF: what is written for what is kept."""

import random

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.errors import BtfParseError
from skelgen.btf.parse import Btf
from skelgen.btf.subset import BtfSubset
from skelgen.btf.types import Enum64, Float, FuncProto, Int, Kind, Struct
from skelgen.btf.verify import check
from tests.harness.btf import every_kind


@pytest.fixture(params=["little", "big"])
def whole(request: pytest.FixtureRequest) -> Btf:
    return Btf(every_kind(request.param).bytes())


def written(subset: BtfSubset) -> Btf:
    part = Btf(subset.bytes())
    check(part)
    assert len(part) == 1 + len(subset)
    assert part.byteorder == subset.btf.byteorder
    return part


def find(btf: Btf, name: str) -> int:
    found = btf.find(name)
    assert found is not None
    return found


def test_a_subset_of_nothing_has_void_alone(whole: Btf) -> None:
    subset = BtfSubset(whole)
    assert subset.keep(0) == 0
    assert len(written(subset)) == 1
    assert written(subset).string_size == 1


def test_types_are_kept_without_what_is_in_them(whole: Btf) -> None:
    subset = BtfSubset(whole)
    for name in ("s", "u", "e", "neg64", "later_union", "double", "old_bits"):
        subset.keep(find(whole, name))
    part = written(subset)
    assert [part.name(id_) for id_ in part.ids()] == (
        ["old_bits", "s", "u", "e", "later_union", "double", "neg64"]
    )
    assert part.type(1) == Int(1, "old_bits", 4, False, False, False, 3, 5)
    assert part.type(2) == Struct(2, "s", 32, ())
    assert part.type(6) == Float(6, "double", 8)
    assert part.type(7) == Enum64(7, "neg64", 8, True, ())  # signed all the same


def test_typedefs_are_kept_by_name_alone(whole: Btf) -> None:
    subset = BtfSubset(whole)
    volatile = find(whole, "t") + 1
    assert subset.keep(volatile) == find(whole, "s")
    assert len(written(subset)) == 2
    assert subset.keep_named(find(whole, "t")) == find(whole, "s")
    part = written(subset)
    assert [(part.kind(id_), part.name(id_)) for id_ in part.ids()] == [
        (Kind.STRUCT, "s"),
        (Kind.TYPEDEF, "t"),
    ]
    assert part.ref(2) == 1


def test_bit_fields_keep_their_widths(whole: Btf) -> None:
    subset = BtfSubset(whole)
    bits = subset.keep(find(whole, "bits"))
    subset.keep_member(bits, 2)
    (member,) = written(subset).type(2).members  # type: ignore[union-attr]  # a struct
    assert (member.name, member.bit_offset, member.bitfield_size) == ("z", 32, 0)
    subset.keep_member(bits, 1)
    found = written(subset).type(2)
    assert isinstance(found, Struct)
    assert found.kflag
    assert [(one.name, one.bitfield_size) for one in found.members] == [
        ("y", 29),
        ("z", 0),
    ]


def test_pointers_point_to_what_is_kept_or_to_nothing() -> None:
    b = BtfBuilder()
    first = b.add_struct("first", 8, [("a", b.next_id + 1, 0), ("b", b.next_id + 2, 0)])
    to_first, to_second = b.add_ptr(first), b.add_ptr(4)
    b.add_struct("second", 8)
    subset = BtfSubset(Btf(b.bytes()))
    subset.keep(first)
    subset.keep_member(first, 0)
    subset.keep_member(first, 1)
    # two that point to nothing in particular are one
    part = written(subset)
    assert (len(part), part.kind(2), part.ref(2)) == (3, Kind.PTR, 0)
    assert subset.follow(to_second) == 4
    part = written(subset)
    assert [part.ref(2), part.ref(3), part.name(4)] == [0, 4, "second"]
    assert subset.follow(to_first) == first
    assert written(subset).ref(2) == 1


def test_prototypes_keep_parameters_without_their_types(whole: Btf) -> None:
    subset = BtfSubset(whole)
    proto = find(whole, "t") + 4
    found = whole.type(proto)
    assert isinstance(found, FuncProto)
    assert subset.keep(proto) == proto
    subset.keep(found.type_id)
    part = written(subset)
    assert part.type(2) == FuncProto(2, 1, (("first", 0), ("", 0)))


def test_what_is_no_data_is_refused(whole: Btf) -> None:
    subset = BtfSubset(whole)
    for name in ("f", "v", ".data.x", "tag"):
        with pytest.raises(BtfParseError, match="which is no part of data"):
            subset.keep(find(whole, name))
    assert len(subset) == 0


def test_the_order_of_the_choice_does_not_matter(whole: Btf) -> None:
    choices = [
        lambda s: s.keep_member(s.keep(find(whole, "s")), 1),
        lambda s: s.keep_member(s.keep(find(whole, "bits")), 0),
        lambda s: s.keep_value(s.keep(find(whole, "e")), 1),
        lambda s: s.keep_value(s.keep(find(whole, "e")), 0),
        lambda s: s.keep_named(find(whole, "t")),
        lambda s: s.keep(5),
    ]
    results = set()
    for seed in range(10):
        subset = BtfSubset(whole)
        random.Random(seed).shuffle(choices)  # noqa: S311 - an order, no secret
        for choose in choices * 2:
            choose(subset)
        results.add(subset.bytes())
    assert len(results) == 1
    (data,) = results
    strings = Btf(data).string_bytes[1:-1].split(b"\0")
    assert len(set(strings)) == len(strings)
