"""A CO-RE relocation tells the sizes of loads and stores."""

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.spec import ReloKind
from tests.harness.core_relocations import (
    Fill,
    one,
    pointer,
    signed,
    unsigned,
    work_out,
)


def enumeration(size: int) -> Fill:
    return lambda b: b.add_enum("", [("A", 1)], size=size)


@pytest.mark.parametrize(
    ("local", "target", "sizes", "resizable"),
    [
        (unsigned(4), unsigned(4), (4, 4), True),
        (unsigned(4), unsigned(8), (4, 8), True),
        (unsigned(8), unsigned(1), (8, 1), True),
        (signed(4), signed(4), (4, 4), True),
        (signed(4), signed(8), (4, 8), False),
        (unsigned(4), signed(8), (4, 8), False),
        (pointer, pointer, (8, 8), True),
        (enumeration(4), enumeration(1), (4, 1), False),
    ],
)
def test_sizes_are_told_and_whether_a_load_can_be_resized(
    local: Fill,
    target: Fill,
    sizes: tuple[int, int],
    resizable: bool,  # noqa: FBT001
) -> None:
    value = work_out(one(local), [one(target)], ReloKind.FIELD_BYTE_OFFSET, "0:0")
    assert (value.old_size, value.new_size) == sizes
    assert value.resizable is resizable


def test_size_of_an_array_is_that_of_an_element() -> None:
    def matrix(size: int) -> Fill:
        def fill(b: BtfBuilder) -> int:
            uint_id = b.add_int("u", size)
            row = b.add_array(uint_id, uint_id, 3)
            return b.add_array(b.add_typedef("row", row), uint_id, 2)

        return fill

    for access in ("0:0", "0:0:1", "0:0:1:2"):
        value = work_out(
            one(matrix(4)), [one(matrix(8))], ReloKind.FIELD_BYTE_OFFSET, access
        )
        assert (value.old_size, value.new_size) == (4, 8)
