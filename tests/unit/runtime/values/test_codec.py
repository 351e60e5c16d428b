"""Codecs: what goes in comes out, and what does not fit is refused with a reason."""

import enum
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.runtime.values import codec as c
from skelgen.runtime.values.array import array

if TYPE_CHECKING:
    from collections.abc import Sequence

INTEGERS = (c.U8, c.U16, c.U32, c.U64, c.U128, c.I8, c.I16, c.I32, c.I64, c.I128)
SIZES = {1: (c.U8, c.I8), 2: (c.U16, c.I16), 4: (c.U32, c.I32), 8: (c.U64, c.I64)}


class Color(enum.IntEnum):
    RED = 0
    BLUE = 7


COLOR = c.enum(Color, c.U32)


class Index:
    """An integer of another library."""

    def __index__(self) -> int:
        return 5


@pytest.mark.parametrize("codec", INTEGERS, ids=repr)
def test_the_ends_of_each_range_fit_and_nothing_beyond(codec: c.IntCodec) -> None:
    for value in (codec.low, codec.high, 0, 1):
        data = codec.pack(value)
        assert len(data) == codec.size
        assert data == value.to_bytes(codec.size, sys.byteorder, signed=codec.low < 0)
        assert codec.unpack(data) == value
        assert codec.unpack(b"??" + data, 2) == value
    for value in (codec.low - 1, codec.high + 1):
        with pytest.raises(OverflowError, match=f"got {value}"):
            codec.pack(value)


@given(st.sampled_from(INTEGERS), st.integers(-(1 << 130), 1 << 130))
def test_every_integer_survives_or_is_refused(codec: c.IntCodec, value: int) -> None:
    if codec.low <= value <= codec.high:
        assert codec.unpack(codec.pack(value)) == value
    else:
        with pytest.raises(OverflowError):
            codec.pack(value)


@pytest.mark.parametrize(
    ("codec", "value", "text"),
    [
        (c.U8, "x", "value must be int in 0..255 (u8), got str"),
        (c.U8, 256, "value must be int in 0..255 (u8), got 256"),
        (c.I8, 1.0, "value must be int in -128..127 (i8), got float"),
        (c.U64, -1, "value must be int in 0..2**64-1 (u64), got -1"),
        (c.I64, None, "value must be int in -2**63..2**63-1 (i64), got NoneType"),
        (c.BOOL, 2, "value must be bool, got 2"),
        (c.BOOL, "yes", "value must be bool, got str"),
        (c.F32, 1e300, "value must be float (f32), got 1e+300"),
        (c.F64, "1", "value must be float (f64), got str"),
        (c.F64, None, "value must be float (f64), got NoneType"),
        (c.CString(4), "abc", "value must be bytes, got str (encode it)"),
        (c.CString(4), b"abcde", "value must be at most 4 bytes, got 5"),
        (c.Bytes(4), b"abc", "value must be exactly 4 bytes, got 3"),
        (c.Bytes(4), 4, "value must be bytes, got int"),
        (COLOR, "RED", "value must be int in 0..4294967295 (u32), got str"),
        (array(c.U8, 2), [1], "value must be a sequence of 2 elements, got 1"),
        (array(c.U8, 2), 7, "value must be a sequence of 2 elements, got int"),
        (array(c.U8, 2), "ab", "value must be a sequence of 2 elements, got str"),
        (array(c.U8, 2), [1, 256], "value[1] must be int in 0..255 (u8), got 256"),
        (
            array(array(c.I8, 2), 2),
            [[1, 2], [3, 400]],
            "value[1][1] must be int in -128..127 (i8), got 400",
        ),
    ],
)
def test_a_refusal_says_what_was_expected(
    codec: c.Codec[Any], value: object, text: str
) -> None:
    with pytest.raises((TypeError, OverflowError, ValueError)) as caught:
        codec.pack(value)
    assert str(caught.value) == text


def test_integers_of_other_libraries_and_booleans_are_integers() -> None:
    assert c.U16.pack(Index()) == c.U16.pack(5)  # type: ignore[arg-type] # typed int
    assert c.U8.pack(True) == b"\1"


def test_any_byte_but_zero_reads_as_true() -> None:
    assert [c.BOOL.unpack(bytes([n])) for n in (0, 1, 2, 255)] == [
        False,
        True,
        True,
        True,
    ]
    assert c.BOOL.pack(1) == b"\1"  # type: ignore[arg-type] # typed bool


@given(st.floats(allow_nan=False))
def test_doubles_are_exact(value: float) -> None:
    assert c.F64.unpack(c.F64.pack(value)) == value


@given(st.floats(width=32, allow_nan=False))
def test_floats_are_exact_where_they_can_be(value: float) -> None:
    assert c.F32.unpack(c.F32.pack(value)) == value


def test_strings_are_cut_at_the_first_nul_and_filled_up() -> None:
    codec = c.CString(6)
    assert codec.pack(b"ab") == b"ab\0\0\0\0"
    assert codec.unpack(b"ab\0xy\0") == b"ab"
    assert codec.unpack(codec.pack(b"abcdef")) == b"abcdef"
    for same in (bytearray(b"ab"), memoryview(b"ab")):
        assert codec.pack(same) == codec.pack(b"ab")  # type: ignore[arg-type]
    assert c.Bytes(3).unpack(b"a\0b") == b"a\0b"


@pytest.mark.parametrize(
    "codec", [c.U32, c.U128, c.BOOL, c.F32, c.CString(9), c.Bytes(9), array(c.U8, 9)]
)
def test_a_short_buffer_is_an_error(codec: c.Codec[Any]) -> None:
    with pytest.raises(Exception, match=r"."):
        codec.unpack(bytes(codec.size - 1))


def test_enumerations_read_as_members_where_they_have_a_name() -> None:
    assert COLOR.unpack(COLOR.pack(Color.BLUE)) is Color.BLUE
    unknown = COLOR.unpack(COLOR.pack(3))
    assert unknown == 3
    assert type(unknown) is int
    memory = bytearray(4)
    slot = COLOR.slot(memory)
    slot[0] = Color.BLUE
    assert slot[0] is Color.BLUE
    assert COLOR.unpack_all(COLOR.pack(7) + COLOR.pack(1), 2) == [Color.BLUE, 1]


@pytest.mark.parametrize(
    ("codec", "values"),
    [
        (c.U16, [1, 65535]),
        (c.I128, [-1, 1 << 100]),
        (c.BOOL, [True, False]),
        (c.F32, [0.5, -2.0]),
        (c.F64, [0.1, -2.0]),
        (c.CString(5), [b"a", b"bcdef"]),
        (c.Bytes(3), [b"abc", b"\0\0\0"]),
        (array(c.U8, 3), [[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_slots_read_and_write_in_place(codec: c.Codec[Any], values: list[Any]) -> None:
    memory = bytearray(b"\xff" * (codec.size + 8))
    slot = codec.slot(memory, 4)
    for value in values:
        slot[0] = value
        assert slot[0] == value
        assert codec.unpack(memory, 4) == value
        assert memory[:4] == memory[-4:] == b"\xff" * 4
    data = b"".join(codec.pack(value) for value in values)
    assert codec.unpack_all(data, len(values)) == values


def test_arrays_come_out_as_sequences_that_compare_with_lists() -> None:
    codec = array(c.U32, 3)
    value: Sequence[int] = codec.unpack(codec.pack([1, 2, 3]))
    assert value == [1, 2, 3]
    assert value == (1, 2, 3)  # type: ignore[comparison-overlap] # an Array
    assert value != [1, 2]
    assert list(value) == [1, 2, 3]
    assert 2 in value
    assert value.index(3) == 2
    assert value.count(1) == 1
    assert value[-1] == 3
    assert value[1:] == [2, 3]
    assert list(reversed(value)) == [3, 2, 1]
    assert codec.pack(value) == codec.pack([1, 2, 3])
    assert array(c.U32, 3) is codec


def test_arrays_of_what_ctypes_would_leave_raw_come_out_as_values() -> None:
    names = array(c.CString(4), 2)
    assert names.unpack(names.pack([b"ab", b"abcd"])) == [b"ab", b"abcd"]
    big = array(c.I128, 2)
    assert big.unpack(big.pack([-1, 1 << 99])) == [-1, 1 << 99]
    raw = array(c.Bytes(2), 2)
    assert raw.unpack(raw.pack([b"\0a", b"b\0"])) == [b"\0a", b"b\0"]
