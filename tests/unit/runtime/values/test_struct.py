"""Structs and unions: ctypes layouts with checked writes."""

# ruff: noqa: RUF012, S102, S301 (as generated; statements and pickles of our own)

import copy
import ctypes
import pickle
from typing import Any

import pytest

from skelgen.runtime.values import codec as c
from skelgen.runtime.values.array import array, array_type
from skelgen.runtime.values.member import BitField, Flexible, FlexibleBytes, Member
from skelgen.runtime.values.struct import Struct, Union, check_layout, struct


class Point(Struct):
    x: int
    y: int

    _fields_ = [
        ("x", ctypes.c_int16),
        ("y", ctypes.c_int16),
    ]


class Addr(Union):
    v4: int
    v6: Any

    _fields_ = [
        ("v4", ctypes.c_uint32),
        ("v6", array_type(ctypes.c_uint8, 16)),
    ]


class Event(Struct):
    """Something of everything."""

    pid: int
    alive: bool
    load: float
    comm: bytes
    at: Point
    addr: Addr
    counts: Any
    path: Any
    names: Any
    grid: Any

    _fields_ = [
        ("pid", ctypes.c_int32),
        ("alive", ctypes.c_bool),
        ("5:8", ctypes.c_uint8 * 3),
        ("load", ctypes.c_double),
        ("comm", ctypes.c_char * 8),
        ("at", Point),
        ("addr", Addr),
        ("counts", array_type(ctypes.c_uint16, 4)),
        ("path", array_type(Point, 2)),
        ("names", array_type(ctypes.c_char * 4, 2)),
        ("grid", array_type(array_type(ctypes.c_uint8, 2), 2)),
    ]


class Odd(Struct):
    """What ctypes cannot express: 128 bits, bit-fields, unaligned members."""

    _fields_ = [("0:32", ctypes.c_uint8 * 32)]

    big = Member(c.I128, offset=0)
    low = BitField(bit_offset=128, width=3)
    mid = BitField(bit_offset=131, width=7, signed=True)
    word = Member(c.U32, offset=19)
    """At an odd offset."""
    at = Member(struct(Point), offset=23)
    pair = Member(array(c.U16, 2), offset=27)


class Anonymous(Struct):
    """``struct { int a; union { int b; struct { short c, d; }; }; }``."""

    class Both(Struct):
        _fields_ = [("c", ctypes.c_int16), ("d", ctypes.c_int16)]

    class Either(Union):
        _anonymous_ = ("0:4",)

    Either._fields_ = [("b", ctypes.c_int32), ("0:4", Both)]

    a: int
    b: int
    c: int
    d: int

    _anonymous_ = ("4:8",)
    _fields_ = [("a", ctypes.c_int32), ("4:8", Either)]


class Packet(Struct):
    size: int

    _fields_ = [("size", ctypes.c_uint32)]

    data = FlexibleBytes(offset=4)


class Samples(Struct):
    kind: int

    _fields_ = [("kind", ctypes.c_uint64)]

    values = Flexible(c.U16, offset=8)


def event() -> Event:
    return Event(
        pid=-3,
        alive=True,
        load=0.5,
        comm=b"bash",
        at=Point(x=1, y=-2),
        counts=[1, 2, 3, 4],
        names=[b"ab", b"abcd"],
        grid=[[1, 2], [3, 4]],
    )


def test_members_keep_what_they_are_given() -> None:
    one = event()
    assert (one.pid, one.alive, one.load, one.comm) == (-3, True, 0.5, b"bash")
    assert (one.at.x, one.at.y) == (1, -2)
    assert one.counts == [1, 2, 3, 4]
    assert one.names == [b"ab", b"abcd"]
    assert one.grid == [[1, 2], [3, 4]]
    assert one.path == [Point(), Point()]
    one.path[1].x = 9
    one.addr.v6[0] = 255
    assert one.path[1] == Point(x=9)
    assert one.addr.v4 == 255
    assert Event.from_buffer_copy(bytes(one)) == one


def refuse(what: str, error: type[Exception], text: str) -> Any:
    return pytest.param(what, error, text, id=what)


@pytest.mark.parametrize(
    ("statement", "error", "text"),
    [
        refuse("e.pid = 1 << 31", OverflowError, "Event.pid must be int in -2147"),
        refuse("e.pid = 'x'", TypeError, "Event.pid must be int in .* got str"),
        refuse("e.pid = 1.0", TypeError, "Event.pid must be int in .* got float"),
        refuse("e.alive = 2", OverflowError, "Event.alive must be bool, got 2"),
        refuse("e.load = 'x'", TypeError, "Event.load must be float"),
        refuse("e.comm = 'x'", TypeError, "Event.comm must be bytes, got str"),
        refuse("e.comm = b'123456789'", ValueError, "Event.comm must be at most 8"),
        refuse("e.at = 3", TypeError, "Event.at must be Point, got int"),
        refuse("e.at.x = 40000", OverflowError, "Point.x must be int in -32768"),
        refuse("e.counts[0] = -1", OverflowError, r"\[0\] must be int in 0..65535"),
        refuse("e.counts = [1, 2]", ValueError, "Event.counts must be a sequence of 4"),
        refuse("e.counts[:] = [1]", ValueError, "must be 4 elements, got 1"),
        refuse("e.counts[1:3] = [1, 1 << 16]", OverflowError, r"\[1\] must be int"),
        refuse("e.counts[9] = 1", IndexError, "index"),
        refuse("e.path[0] = 1", TypeError, r"\[0\] must be Point"),
        refuse("e.names[0] = b'12345'", ValueError, r"\[0\] must be at most 4"),
        refuse("e.grid[1][1] = 256", OverflowError, r"\[1\] must be int in 0..255"),
        refuse("e.grid = [[1, 2], [3, 256]]", OverflowError, r"Event.grid\[1\]\[1\]"),
        refuse("e.addr.v4 = -1", OverflowError, "Addr.v4 must be int"),
        refuse("e.pidd = 1", AttributeError, "no member 'pidd'; did you mean 'pid'"),
        refuse("Event(pidd=1)", TypeError, "Event has no member 'pidd'"),
        refuse("Event(pid='x')", TypeError, "Event.pid must be int"),
        refuse("o.big = 1 << 127", OverflowError, "Odd.big must be int in -2"),
        refuse("o.low = 8", OverflowError, r"Odd.low must be int in 0..7 \(3 bits\)"),
        refuse("o.mid = -65", OverflowError, "Odd.mid must be int in -64..63"),
        refuse("o.mid = 'x'", TypeError, "Odd.mid must be int in .* got str"),
        refuse("o.word = -1", OverflowError, "Odd.word must be int"),
        refuse("o.pair[0] = 1 << 16", OverflowError, r"\[0\] must be int"),
        refuse("p.data = b'x'", AttributeError, "Packet.data is a flexible array"),
    ],
)
def test_nothing_is_truncated(
    statement: str, error: type[Exception], text: str
) -> None:
    names = {"e": event(), "o": Odd(), "p": Packet(), "Event": Event}
    before = [bytes(names[key]) for key in "eop"]  # type: ignore[call-overload] # structs
    with pytest.raises(error, match=text):
        exec(statement, names)
    assert [bytes(names[key]) for key in "eop"] == before  # type: ignore[call-overload]


def test_descriptors_reach_bits_and_odd_offsets() -> None:
    odd = Odd(big=-5, low=5, mid=-64, word=0xDEADBEEF, at=Point(x=3, y=4))
    odd.pair[1] = 7
    assert (odd.big, odd.low, odd.mid, odd.word) == (-5, 5, -64, 0xDEADBEEF)
    assert (odd.at.x, odd.at.y) == (3, 4)
    assert odd.pair == [0, 7]
    odd.at.y = -4
    odd.mid = 63
    odd.low = 0
    assert repr(odd) == (
        "Odd(big=-5, low=0, mid=63, word=3735928559, at=Point(x=3, y=-4), "
        "pair=[0, 7])"
    )
    assert bytes(odd)[19:23] == c.U32.pack(0xDEADBEEF)
    assert bytes(odd)[16:18] == b"\xf8\x01"  # little-endian: 63 << 3


def test_every_bit_field_keeps_its_neighbours() -> None:
    for offset in range(20):
        for width in (1, 2, 7, 8, 9, 31, 33, 64):

            class Bits(Struct):
                _fields_ = [("0:12", ctypes.c_uint8 * 12)]

                unsigned = BitField(bit_offset=offset, width=width)
                signed = BitField(bit_offset=offset, width=width, signed=True)

            bits = Bits.from_buffer_copy(b"\xff" * 12)
            assert bits.unsigned == (1 << width) - 1
            assert bits.signed == -1
            bits.unsigned = 0
            word = int.from_bytes(bytes(bits), "little")
            assert word == (1 << 96) - 1 - (((1 << width) - 1) << offset)
            bits.signed = -(1 << (width - 1))
            assert bits.signed == -(1 << (width - 1))
            assert bits.unsigned == 1 << (width - 1)


def test_members_of_anonymous_structs_belong_to_the_outer_one() -> None:
    value = Anonymous(a=1, c=-2, d=3)
    assert (value.a, value.c, value.d) == (1, -2, 3)
    assert value.b == (3 << 16) + 0xFFFE
    assert repr(value) == "Anonymous(a=1, b=262142, c=-2, d=3)"
    with pytest.raises(OverflowError, match=r"Anonymous\.c must be int"):
        value.c = 1 << 15


def test_flexible_arrays_have_what_follows_in_a_record() -> None:
    read = struct(Packet).sized_reader()
    assert read is not None
    packet = read(b"....\4\0\0\0abc\0d??", 4, 9)
    assert (packet.size, packet.data) == (4, b"abc\0d")
    assert Packet(size=3).data == b""
    samples = struct(Samples).sized_reader()
    assert samples is not None
    record = c.U64.pack(1) + c.U16.pack(7) + c.U16.pack(8) + b"!"
    assert samples(record, 0, len(record)).values == (7, 8)
    assert repr(samples(record, 0, 8)) == "Samples(kind=1, values=())"


def test_equality_is_that_of_members_whatever_the_padding() -> None:
    one, two = event(), event()
    assert one == two
    assert hash(one) == hash(two)
    memory = bytearray(bytes(one))
    memory[5] = 99
    padded = Event.from_buffer_copy(memory)
    assert padded == one
    assert {one: 1}[padded] == 1
    two.at.x = 5
    assert one != two
    assert one != 3
    assert Point(x=1) != Addr(v4=1)
    assert Addr(v4=1) == Addr(v4=1)
    assert Addr(v4=1) != Addr(v4=2)
    assert len({Addr(v4=1), Addr(v4=1), Addr(v4=2)}) == 2


def test_a_copy_out_of_a_map_has_no_dict_of_its_own() -> None:
    """It would cost more time and memory than the copy."""
    codec = struct(Point).out_of(c.Copied("map 'm': its value", "take another"))
    memory = bytes(Point(x=1)) + bytes(Point(x=2))
    values = codec.unpack_all(memory, 2)
    assert values == [codec.unpack(memory), codec.unpack(memory, len(memory) // 2)]
    for value in values:
        assert vars(value) == {}
        with pytest.raises(TypeError, match="map 'm': its value is a copy"):
            value.x = 3


def test_copies_and_pickles_are_of_their_own() -> None:
    one = event()
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert other == one
        other.pid = 1
        other.counts[0] = 9
        assert (one.pid, one.counts[0]) == (-3, 1)
    assert pickle.loads(pickle.dumps(one.counts)) == one.counts
    assert copy.deepcopy(one.grid) == [[1, 2], [3, 4]]


def test_a_subclass_of_a_generated_class_is_the_same_struct() -> None:
    class Named(Point):
        @property
        def sum(self) -> int:
            return self.x + self.y

    value = Named(x=1, y=2)
    assert value.sum == 3
    assert struct(Point).pack(value) == bytes(Point(x=1, y=2))
    assert struct(Named).unpack(bytes(value)).sum == 3


def test_a_struct_that_this_python_lays_out_otherwise_is_refused() -> None:
    check_layout(Point, size=4, offsets=(0, 2))
    check_layout(Event, size=72, offsets=(0, 4, 8, 16, 24, 28, 44, 52, 60, 68))
    with pytest.raises(TypeError, match=r"Point: laid out as 4 bytes.* C has 6 bytes"):
        check_layout(Point, size=6, offsets=(0, 4))


def test_plain_ctypes_arrays_are_refused_as_members() -> None:
    class Wrong(Struct):
        _fields_ = [("a", ctypes.c_uint32 * 4)]

    with pytest.raises(TypeError, match=r"use rt\.array_type"):
        Wrong(a=[1, 2, 3, 4])


def test_a_view_keeps_its_struct_alive() -> None:
    inner = event().at
    array_ = event().counts
    assert inner.x == 1
    assert array_[3] == 4
