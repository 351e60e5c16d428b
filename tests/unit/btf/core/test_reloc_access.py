"""Access strings of CO-RE relocations: bounds of arrays, broken ones, and in words."""

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator
from skelgen.btf.core.spec import ReloKind
from skelgen.btf.core.types import SpecError
from tests.harness.core_relocations import (
    Fill,
    finder,
    make,
    one,
    point,
    unsigned,
    work_out,
)


def with_array(nelems: int, *, last: bool = True) -> Fill:
    def fill(b: BtfBuilder) -> int:
        uint_id = b.add_int("u", 4)
        members = [("a", b.add_array(uint_id, uint_id, nelems), 32)]
        if not last:
            members.append(("z", uint_id, 256))
        return b.add_struct("s", 36, members)

    return fill


@pytest.mark.parametrize(
    ("target", "poison"),
    [
        (with_array(5), False),
        (with_array(4), True),
        (with_array(0), False),
        (with_array(0, last=False), True),
    ],
)
def test_an_element_beyond_the_targets_array_poisons(
    target: Fill, *, poison: bool
) -> None:
    value = work_out(with_array(8), [target], ReloKind.FIELD_BYTE_OFFSET, "0:0:4")
    assert value.poison is poison
    assert poison or value.new == 20


@pytest.mark.parametrize(
    ("local", "access", "message"),
    [
        (with_array(4), "0:0:4", "element 4 of an array of 4"),
        (with_array(4), "0:1", "no member number 1"),
        (with_array(4), "0:0:0:0", "has no parts"),
        (with_array(4), "", "no list of numbers"),
        (with_array(4), "0:x", "no list of numbers"),
        (with_array(4), "0:-1", "no list of numbers"),
        (with_array(4), ":".join("0" * 65), "no list of numbers"),
    ],
)
def test_broken_access_strings_are_refused(
    local: Fill, access: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        work_out(local, [with_array(4)], ReloKind.FIELD_BYTE_OFFSET, access)


def test_broken_records_are_refused() -> None:
    with pytest.raises(SpecError, match="access string '0:1' on a whole type"):
        work_out(point, [point], ReloKind.TYPE_SIZE, "0:1")
    with pytest.raises(SpecError, match="is no enum"):
        work_out(point, [point], ReloKind.ENUMVAL_VALUE)
    with pytest.raises(SpecError, match="has no constant '1'"):
        work_out(lambda b: b.add_enum("e", [("A", 1)]), [], ReloKind.ENUMVAL_VALUE, "1")
    with pytest.raises(SpecError, match="anonymous types"):
        work_out(lambda b: b.add_struct("", 4), [], ReloKind.TYPE_SIZE)
    with pytest.raises(SpecError, match="offset and a size alone"):
        work_out(with_array(4), [with_array(4)], ReloKind.FIELD_SIGNED, "0:0:0")
    btf, type_id = make(point)
    relocator = CoreRelocator(btf, finder())
    with pytest.raises(SpecError, match="unknown kind 13"):
        relocator.value(CoreRelo(0, type_id, "0", 13))
    with pytest.raises(SpecError, match="99"):
        relocator.value(CoreRelo(0, 99, "0", ReloKind.TYPE_SIZE))
    with pytest.raises(SpecError, match="no size"):
        work_out(lambda b: b.add_fwd("f"), [], ReloKind.FIELD_BYTE_SIZE)


def test_an_enum64_of_a_big_endian_target_has_its_value() -> None:
    def local(b: BtfBuilder) -> int:
        return b.add_enum("e", [("A", 1)])

    btf, type_id = make(local)
    target, _ = make(lambda b: b.add_enum64("e", [("A", 5 << 32)]), "big")
    value = CoreRelocator(btf, finder(target)).value(
        CoreRelo(0, type_id, "0", ReloKind.ENUMVAL_VALUE)
    )
    assert value.new == 5 << 32


@pytest.mark.parametrize(
    ("kind", "access", "text"),
    [
        (ReloKind.FIELD_BYTE_OFFSET, "0:1", "point.y"),
        (ReloKind.FIELD_BYTE_OFFSET, "0:3:2", "point.list[2]"),
        (ReloKind.FIELD_BYTE_OFFSET, "1:0", "point[1].x"),
        (ReloKind.TYPE_SIZE, "0", "point"),
        (ReloKind.TYPE_SIZE, "9", "type [5] 9"),
    ],
)
def test_an_access_is_told_in_words(kind: ReloKind, access: str, text: str) -> None:
    btf, type_id = make(point)
    relo = CoreRelo(0, type_id, access, kind)
    assert CoreRelocator(btf, finder()).access(relo) == text


def test_an_access_of_an_enumerator_is_told_in_words() -> None:
    btf, type_id = make(lambda b: b.add_enum("e", [("A", 1)]))
    relo = CoreRelo(0, type_id, "0", ReloKind.ENUMVAL_VALUE)
    assert CoreRelocator(btf, finder()).access(relo) == "e::A"


def test_an_access_through_64_anonymous_members_is_too_deep() -> None:
    def deep(b: BtfBuilder) -> int:
        type_id = b.add_struct("", 4, [("f", b.add_int("u", 4), 0)])
        for _ in range(64):
            type_id = b.add_struct("", 4, [("", type_id, 0)])
        return b.add_struct("s", 4, [("", type_id, 0)])

    with pytest.raises(SpecError, match="too deeply"):
        work_out(one(unsigned(4)), [deep], ReloKind.FIELD_EXISTS, "0:0")
