"""A CO-RE relocation finds fields, types, enumerators and their candidates."""

from typing import Literal

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator, Value
from skelgen.btf.core.spec import ReloKind
from skelgen.btf.core.types import SpecError
from tests.harness.core_relocations import (
    Fill,
    empty_point,
    finder,
    make,
    moved_point,
    one,
    point,
    pointer,
    unsigned,
    work_out,
)


@pytest.mark.parametrize(
    ("kind", "access", "old", "new"),
    [
        (ReloKind.FIELD_BYTE_OFFSET, "0:0", 0, 24),
        (ReloKind.FIELD_BYTE_OFFSET, "0:1", 4, 16),
        (ReloKind.FIELD_BYTE_OFFSET, "0:3", 12, 40),
        (ReloKind.FIELD_BYTE_OFFSET, "0:3:2", 20, 56),
        (ReloKind.FIELD_BYTE_OFFSET, "0:4", 32, 72),
        (ReloKind.FIELD_BYTE_OFFSET, "2", 96, 192),
        (ReloKind.FIELD_BYTE_OFFSET, "1:1", 52, 112),
        (ReloKind.FIELD_BYTE_SIZE, "0:1", 4, 8),
        (ReloKind.FIELD_BYTE_SIZE, "0:3", 16, 32),
        (ReloKind.FIELD_BYTE_SIZE, "0:3:1", 4, 8),
        (ReloKind.FIELD_BYTE_SIZE, "0", 48, 96),
        (ReloKind.FIELD_EXISTS, "0:1", 1, 1),
        (ReloKind.FIELD_SIGNED, "0:0", 1, 1),
        (ReloKind.FIELD_SIGNED, "0:1", 0, 0),
        (ReloKind.FIELD_LSHIFT_U64, "0:1", 32, 0),
        (ReloKind.FIELD_RSHIFT_U64, "0:1", 32, 0),
        (ReloKind.TYPE_EXISTS, "0", 1, 1),
        (ReloKind.TYPE_SIZE, "0", 48, 96),
    ],
)
def test_values_are_those_of_the_local_and_the_target_type(
    kind: ReloKind, access: str, old: int, new: int
) -> None:
    value = work_out(point, [moved_point], kind, access)
    assert not value.poison
    assert (value.old, value.new) == (old, new)
    assert value.check


@pytest.mark.parametrize("kind", list(ReloKind))
def test_what_is_missing_gives_0_or_poison_but_for_local_numbers(
    kind: ReloKind,
) -> None:
    target = empty_point if kind.on_field else (lambda b: b.add_struct("other", 4))
    local: Fill = point
    if kind.on_enumerator:
        local = lambda b: b.add_enum("point", [("A", 7)])  # noqa: E731
    value = work_out(local, [target], kind, "0:1" if kind.on_field else "0")
    if kind in {
        ReloKind.FIELD_EXISTS,
        ReloKind.TYPE_EXISTS,
        ReloKind.TYPE_MATCHES,
        ReloKind.ENUMVAL_EXISTS,
    }:
        assert value == Value(poison=False, old=1, new=0)
    elif kind in {ReloKind.TYPE_ID_TARGET, ReloKind.TYPE_SIZE}:
        assert not value.poison
        assert value.new == 0
    elif kind is ReloKind.TYPE_ID_LOCAL:
        assert not value.poison
        assert value.new > 0
    else:
        assert value.poison


def test_type_ids_are_those_of_local_and_target_and_unchecked() -> None:
    local = work_out(point, [moved_point], ReloKind.TYPE_ID_LOCAL)
    assert local.new == make(point)[1]
    assert not local.check
    target = work_out(point, [moved_point], ReloKind.TYPE_ID_TARGET)
    assert target.new == make(moved_point)[1]
    assert target.old == make(point)[1]
    assert not target.check


def test_a_type_matches_itself_and_not_a_moved_one() -> None:
    assert work_out(point, [point], ReloKind.TYPE_MATCHES).new == 1
    assert work_out(point, [moved_point], ReloKind.TYPE_MATCHES).new == 0


@pytest.mark.parametrize(
    ("access", "byteorder", "offset", "size", "lshift", "rshift"),
    [
        # bits 64..66 of the local struct: in the 4 bytes at 8
        ("local", "little", 8, 4, 64 - 3, 61),
        ("local", "big", 8, 4, 32, 61),
        # bits 260..266 of the target: in the 8 bytes at 32
        ("target", "little", 32, 8, 64 - 11, 57),
        ("target", "big", 32, 8, 4, 57),
    ],
)
def test_bitfields_get_the_load_and_shifts_that_reach_them(
    access: str,
    byteorder: Literal["little", "big"],
    offset: int,
    size: int,
    lshift: int,
    rshift: int,
) -> None:
    def ask(kind: ReloKind) -> int:
        value = work_out(point, [moved_point], kind, "0:2", byteorder)
        assert not value.poison
        assert value.check == (kind is ReloKind.FIELD_RSHIFT_U64)
        return value.old if access == "local" else value.new

    assert ask(ReloKind.FIELD_BYTE_OFFSET) == offset
    assert ask(ReloKind.FIELD_BYTE_SIZE) == size
    assert ask(ReloKind.FIELD_LSHIFT_U64) == lshift
    assert ask(ReloKind.FIELD_RSHIFT_U64) == rshift
    signed = work_out(point, [moved_point], ReloKind.FIELD_SIGNED, "0:2")
    assert (signed.new, signed.check) == (0, True)


def bitfield(name: str, bit_offset: int, width: int, size: int) -> Fill:
    def fill(b: BtfBuilder) -> int:
        uint_id = b.add_int("uint", size)
        return b.add_struct(name, 32, [("f", uint_id, bit_offset, width)])

    return fill


def test_a_bitfield_across_words_takes_a_larger_load() -> None:
    target = bitfield("s", 30, 4, 4)
    local = bitfield("s", 0, 4, 1)
    assert work_out(local, [target], ReloKind.FIELD_BYTE_SIZE, "0:0").new == 8
    assert work_out(local, [target], ReloKind.FIELD_BYTE_OFFSET, "0:0").new == 0
    assert work_out(local, [target], ReloKind.FIELD_LSHIFT_U64, "0:0").new == 30


def test_a_bitfield_that_no_load_covers_is_refused() -> None:
    with pytest.raises(SpecError, match="does not fit into one 64-bit load"):
        work_out(
            bitfield("s", 0, 4, 4),
            [bitfield("s", 62, 4, 8)],
            ReloKind.FIELD_BYTE_OFFSET,
            "0:0",
        )


def test_a_bitfield_of_a_type_without_a_size_is_refused() -> None:
    def empty(b: BtfBuilder) -> int:
        return b.add_struct("s", 4, [("f", b.add_struct("", 0), 3, 5)])

    with pytest.raises(SpecError, match="bit-field of a type without a size"):
        work_out(empty, [empty], ReloKind.FIELD_BYTE_SIZE, "0:0")


def test_an_array_of_itself_is_refused() -> None:
    def plain(b: BtfBuilder) -> int:
        return b.add_typedef("t", b.add_array(b.add_int("int", 4), 1, 1))

    def endless(b: BtfBuilder) -> int:
        return b.add_typedef("t", b.add_array(b.next_id, 1, 1))

    with pytest.raises(SpecError, match="too many dimensions"):
        work_out(plain, [endless], ReloKind.FIELD_BYTE_OFFSET, "0")


def test_a_field_that_becomes_a_bitfield_is_not_resizable() -> None:
    def plain(b: BtfBuilder) -> int:
        return b.add_struct("s", 4, [("f", b.add_int("u", 4), 0)])

    value = work_out(plain, [bitfield("s", 33, 5, 4)], ReloKind.FIELD_BYTE_SIZE, "0:0")
    assert (value.old, value.new, value.check) == (4, 4, True)
    value = work_out(
        plain, [bitfield("s", 33, 5, 4)], ReloKind.FIELD_BYTE_OFFSET, "0:0"
    )
    # a plain load of a bit-field reads other bits too
    assert (value.old_size, value.new_size, value.resizable) == (4, 0, False)


# -- enumerators -----------------------------------------------------------------


def test_enumerators_have_the_targets_values_or_poison() -> None:
    def local(b: BtfBuilder) -> int:
        return b.add_enum("e", [("A", 1), ("B___old", 2), ("C", -3)])

    def target(b: BtfBuilder) -> int:
        return b.add_enum64("e", [("B", 1 << 40), ("A", -1)])

    def ask(access: str, kind: ReloKind = ReloKind.ENUMVAL_VALUE) -> Value:
        return work_out(local, [target], kind, access)

    assert (ask("0").old, ask("0").new) == (1, -1)
    assert ask("1").new == 1 << 40
    assert ask("2").poison
    assert ask("0", ReloKind.ENUMVAL_EXISTS).new == 1
    assert ask("2", ReloKind.ENUMVAL_EXISTS).new == 0


def test_an_enumerator_is_found_through_a_typedef() -> None:
    def typedef(value: int) -> Fill:
        return lambda b: b.add_typedef("t", b.add_enum("", [("A", value)]))

    assert work_out(typedef(1), [typedef(5)], ReloKind.ENUMVAL_VALUE).new == 5

    def no_enum(b: BtfBuilder) -> int:
        return b.add_typedef("t", b.add_int("int", 4))

    assert work_out(typedef(1), [no_enum], ReloKind.ENUMVAL_VALUE).poison


# -- candidates ------------------------------------------------------------------


def flavoured(name: str, bit_offset: int, field: str = "f") -> Fill:
    return lambda b: b.add_struct(name, 16, [(field, b.add_int("u", 4), bit_offset)])


def test_flavours_are_ignored_on_both_sides() -> None:
    value = work_out(
        flavoured("s___mine", 0),
        [flavoured("s___2", 64)],
        ReloKind.FIELD_BYTE_OFFSET,
        "0:0",
    )
    assert value.new == 8


def test_candidates_that_agree_give_one_value() -> None:
    targets = [flavoured("s", 32), flavoured("s___2", 32), flavoured("s___3", 0, "g")]
    value = work_out(flavoured("s", 0), targets, ReloKind.FIELD_BYTE_OFFSET, "0:0")
    assert value.new == 4


def test_candidates_at_other_offsets_are_refused() -> None:
    targets = [flavoured("s", 32), flavoured("s", 64)]
    with pytest.raises(SpecError, match=r"disagree: bit offset 32 .* and 64"):
        work_out(flavoured("s", 0), targets, ReloKind.FIELD_EXISTS, "0:0")


def test_candidates_of_other_values_are_refused() -> None:
    def sized(size: int) -> Fill:
        return lambda b: b.add_struct("s", size)

    with pytest.raises(SpecError, match=r"disagree: 8 .* and 12"):
        work_out(sized(4), [sized(8), sized(12)], ReloKind.TYPE_SIZE)


def test_what_lacks_one_field_is_not_asked_again() -> None:
    """As libbpf does: the candidates that had ``f`` decide about ``g``."""

    def local(b: BtfBuilder) -> int:
        uint_id = b.add_int("u", 4)
        return b.add_struct("s", 8, [("f", uint_id, 0), ("g", uint_id, 32)])

    def full(b: BtfBuilder) -> int:
        uint_id = b.add_int("u", 4)
        return b.add_struct("s", 8, [("f", uint_id, 0), ("g", uint_id, 32)])

    def other(b: BtfBuilder) -> int:
        return b.add_struct("s", 8, [("g", b.add_int("u", 4), 0)])

    btf, type_id = make(local)
    find = finder(make(full)[0], make(other)[0])
    relocator = CoreRelocator(btf, find)
    relocator.value(CoreRelo(0, type_id, "0:0", ReloKind.FIELD_BYTE_OFFSET))
    second = relocator.value(CoreRelo(1, type_id, "0:1", ReloKind.FIELD_BYTE_OFFSET))
    assert second.new == 4
    with pytest.raises(SpecError, match="disagree"):
        CoreRelocator(btf, find).value(
            CoreRelo(1, type_id, "0:1", ReloKind.FIELD_BYTE_OFFSET)
        )


def test_a_field_of_an_incompatible_type_is_not_there() -> None:
    value = work_out(
        one(unsigned(4)), [one(pointer)], ReloKind.FIELD_BYTE_OFFSET, "0:0"
    )
    assert value.poison
