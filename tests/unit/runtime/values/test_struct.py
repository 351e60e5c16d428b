"""Structs and unions: ctypes layouts with checked writes."""

# ruff: noqa: S102, S301 (statements and pickles of our own)

import copy
import ctypes
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from skelgen.runtime.values import codec as c
from skelgen.runtime.values.array import Array, array
from skelgen.runtime.values.codec import I16
from skelgen.runtime.values.member import bits, flexible, flexible_bytes, member
from skelgen.runtime.values.struct import Struct, Union, struct


class Point(Struct, size=4):
    x: int = member(c.I16, 0)
    y: int = member(c.I16, 2)


class Addr(Union, size=16):
    v4: int = member(c.U32, 0)
    v6: Array[int] = member(array(c.U8, 16), 0)


class Event(Struct, size=72):
    """Something of everything."""

    pid: int = member(c.I32, 0)
    alive: bool = member(c.BOOL, 4)
    load: float = member(c.F64, 8)
    comm: bytes = member(c.CString(8), 16)
    at: Point = member(struct(Point), 24)
    addr: Addr = member(struct(Addr), 28)
    counts: Array[int] = member(array(c.U16, 4), 44)
    path: Array[Point] = member(array(struct(Point), 2), 52)
    names: Array[bytes] = member(array(c.CString(4), 2), 60)
    grid: Array[Array[int], Sequence[int]] = member(array(array(c.U8, 2), 2), 68)


class Odd(Struct, size=32):
    """What ctypes cannot express: 128 bits, bit-fields; and unaligned members."""

    big: int = member(c.I128, 0)
    low: int = bits(128, width=3)
    mid: int = bits(131, width=7, signed=True)
    word: int = member(c.U32, 19)
    """At an odd offset."""
    at: Point = member(struct(Point), 23)
    pair: Array[int] = member(array(c.U16, 2), 27)


class Anonymous(Struct, size=8):
    """``struct { int a; union { int b; struct { short c, d; }; }; }``."""

    a: int = member(c.I32, 0)
    b: int = member(c.I32, 4)
    c: int = member(c.I16, 4)
    d: int = member(I16, 6)


class Packet(Struct, size=4):
    size: int = member(c.U32, 0)
    data: bytes = flexible_bytes(4)


class Samples(Struct, size=8):
    kind: int = member(c.U64, 0)
    values: tuple[int, ...] = flexible(c.U16, 8)


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

            class Bits(Struct, size=12):
                unsigned: int = bits(offset, width=width)
                signed: int = bits(offset, width=width, signed=True)

            made = Bits.from_buffer_copy(b"\xff" * 12)
            assert made.unsigned == (1 << width) - 1
            assert made.signed == -1
            made.unsigned = 0
            word = int.from_bytes(bytes(made), "little")
            assert word == (1 << 96) - 1 - (((1 << width) - 1) << offset)
            made.signed = -(1 << (width - 1))
            assert made.signed == -(1 << (width - 1))
            assert made.unsigned == 1 << (width - 1)


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


def at(cls: type, *names: str) -> list[int]:
    return [getattr(cls, name).offset for name in names]


def test_members_are_where_c_has_them() -> None:
    assert ctypes.sizeof(Event) == 72
    names = ("pid", "alive", "load", "comm", "at", "addr", "counts", "path", "names")
    assert at(Event, *names) == [0, 4, 8, 16, 24, 28, 44, 52, 60]
    assert at(Odd, "word", "at", "pair") == [19, 23, 27]
    assert at(Anonymous, "a", "b", "c", "d") == [0, 4, 4, 6]


def test_members_that_ctypes_knows_are_read_by_ctypes() -> None:
    """It reads in C, wherever the member lies and whatever it overlaps."""
    for cls in (Point, Addr, Event, Anonymous):
        for name in cls.__members__:
            assert type(getattr(cls, name)) is type(getattr(Point, "x"))  # noqa: B009
    assert type(vars(Odd)["word"]) is type(vars(Point)["x"])


class Overlaps(Struct, size=12):
    """Two unions, and two structs in a union, none of which has a name."""

    first: int = member(c.U32, 0)
    low: int = member(c.U8, 4)
    high: int = member(c.U16, 6)
    both: int = member(c.U32, 4)
    middle: int = member(c.U16, 5)
    flag: int = bits(39, width=1)
    last: int = member(c.U32, 8)
    wide: int = member(c.U64, 4)


def test_members_that_overlap_share_their_bytes() -> None:
    value = Overlaps.from_buffer_copy(bytes(range(12)))
    assert repr(value) == (
        "Overlaps(first=50462976, low=4, high=1798, both=117835012, middle=1541, "
        "flag=0, last=185207048, wide=795458214266537220)"
    )
    value.middle = 0xFFFF
    assert bytes(value) == b"\0\1\2\3\4\xff\xff\7\10\11\12\13"
    assert value == copy.deepcopy(value)
    value.low = 0x84
    assert (value.flag, value.both) == (1, 0x07FFFF84)


class Parts(Union, size=8):
    """A union with an anonymous struct in it."""

    whole: int = member(c.U64, 0)
    low: int = member(c.U32, 0)
    high: int = member(c.U32, 4)
    top: int = member(c.U8, 7)


def test_members_of_a_struct_in_a_union_have_their_offsets() -> None:
    parts = Parts(whole=0x0102030405060708)
    assert (parts.low, parts.high, parts.top) == (0x05060708, 0x01020304, 1)
    assert at(Parts, "whole", "low", "high", "top") == [0, 0, 4, 7]


def outside() -> type[Struct]:
    class Wrong(Struct, size=6):
        a: int = member(c.U32, 4)

    return Wrong


def bits_outside() -> type[Struct]:
    class Wrong(Struct, size=1):
        a: int = bits(4, width=5)

    return Wrong


def before() -> type[Struct]:
    class Wrong(Struct, size=6):
        a: int = member(c.U32, -1)

    return Wrong


def without_size() -> type[Struct]:
    class Wrong(Struct):
        a: int = member(c.U32, 0)

    return Wrong


def of_a_word() -> type[Struct]:
    class Wrong(Struct, size="4"):  # type: ignore[arg-type] # as is tested
        pass

    return Wrong


def behind_its_base() -> type[Struct]:
    class Wrong(Point, size=8):
        z: int = member(c.U32, 4)

    return Wrong


@pytest.mark.parametrize(
    ("define", "text"),
    [
        (outside, r"^Wrong\.a is outside of its class of 6 bytes: it is at 4:8$"),
        (bits_outside, r"^Wrong\.a is outside of its class of 1 bytes: it is at 0:2$"),
        (before, r"^Wrong\.a is outside of its class of 6 bytes: it is at -1:3$"),
        (without_size, r"^Wrong has a member 'a', and no size="),
        (of_a_word, r"^Wrong: size must be int, got str$"),
        (behind_its_base, r"^Wrong: this Python .* 12 bytes"),
        (lambda: member(4, 0), "codec must be a codec, like rt.U32, got int"),  # type: ignore[call-overload]
        (lambda: member(c.U32, "0"), "offset must be int, got str"),  # type: ignore[call-overload]
        (lambda: bits("0", width=1), "offset must be int, got str"),  # type: ignore[arg-type]
        (lambda: flexible(4, 0), "codec must be a codec"),  # type: ignore[arg-type]
    ],
)
def test_classes_that_cannot_be_are_refused(
    define: Callable[[], object], text: str
) -> None:
    with pytest.raises(TypeError, match=text):
        define()


def test_a_struct_that_this_python_lays_out_otherwise_is_refused() -> None:
    longer: c.Codec[int] = c.Codec("a codec that is wrong about ctypes", 4, c.U64.ctype)
    with pytest.raises(TypeError, match=r"^Wrong: this Python makes it 8 bytes, C 4$"):

        class Wrong(Struct, size=4):
            a: int = member(longer, 0)

    shorter: c.Codec[int] = c.Codec("another", 8, c.U32.ctype)
    with pytest.raises(TypeError, match=r"^Off\.b: .* at offset 4, C at 8$"):

        class Off(Struct, size=12):
            a: int = member(shorter, 0)
            b: int = member(longer, 8)


def test_a_view_keeps_its_struct_alive() -> None:
    inner = event().at
    array_ = event().counts
    assert inner.x == 1
    assert array_[3] == 4
