"""C types as classes: sizes and offsets as BTF has them, values where C has them."""

import ctypes
import sys
from collections.abc import Callable

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.errors import BtfError
from tests.harness.generating import (
    blueprint,
    generated,
    loaded,
    struct_module,
    with_globals,
)

LITTLE = sys.byteorder == "little"


class Basics:
    """BTF with the types of C that every test needs."""

    def __init__(self) -> None:
        self.btf = BtfBuilder()
        self.int = self.btf.add_int("int", 4, signed=True)
        self.u8 = self.btf.add_int("unsigned char", 1)
        self.u16 = self.btf.add_int("unsigned short", 2)
        self.u32 = self.btf.add_int("unsigned int", 4)
        self.u64 = self.btf.add_int("unsigned long long", 8)
        self.char = self.btf.add_int("char", 1, signed=True)
        self.bool = self.btf.add_int("_Bool", 1, bool=True)

    def array(self, type_id: int, *lengths: int) -> int:
        for length in reversed(lengths):
            type_id = self.btf.add_array(type_id, self.u32, length)
        return type_id


@pytest.fixture
def c() -> Basics:
    return Basics()


def c32(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


def test_scalars_keep_their_values_and_ranges(c: Basics) -> None:
    btf = c.btf
    members = [
        ("a", c.u8, 0),
        ("b", btf.add_int("short", 2, signed=True), 16),
        ("c", c.bool, 32),
        ("d", btf.add_float("float", 4), 64),
        ("e", btf.add_float("double", 8), 128),
        ("f", btf.add_ptr(0), 192),
        ("g", btf.add_ptr(btf.add_func_proto(c.int, [("", c.int)])), 256),
        ("h", c.char, 320),
    ]
    btf.add_struct("s", 48, members)
    module = struct_module(btf, "s")
    one = module.S(a=255, b=-2, c=True, d=0.5, e=1.5, f=1 << 63, h=-1)
    assert ctypes.sizeof(one) == 48
    assert [one.a, one.b, one.c, one.d, one.e, one.f, one.g, one.h] == [
        255,
        -2,
        True,
        0.5,
        1.5,
        1 << 63,
        0,
        -1,
    ]
    with pytest.raises(OverflowError, match=r"S\.a must be"):
        one.a = 256


def test_strings_and_arrays_keep_what_they_are_given(c: Basics) -> None:
    btf = c.btf
    members = [
        ("name", c.array(c.char, 8), 0),
        ("names", c.array(c.char, 2, 4), 64),
        ("bytes_", c.array(c.u8, 4), 128),
        ("grid", c.array(c.u16, 2, 3), 160),
    ]
    btf.add_struct("s", 32, members)
    one = struct_module(btf, "s").S(
        name=b"abc", names=[b"x", b"yz"], bytes_=[1, 2, 3, 4], grid=[[1, 2, 3]] * 2
    )
    assert one.name == b"abc"
    assert [*one.names] == [b"x", b"yz"]
    assert bytes(one)[16:20] == b"\1\2\3\4"
    assert [[*row] for row in one.grid] == [[1, 2, 3], [1, 2, 3]]


def test_int128_members_keep_large_values(c: Basics) -> None:
    big = c.btf.add_int("__int128", 16, signed=True)
    members = [("a", c.u8, 0), ("big", big, 128), ("two", c.array(big, 2), 256)]
    c.btf.add_struct("s", 64, members)
    one = struct_module(c.btf, "s").S(a=1, big=-(1 << 100))
    assert one.big == -(1 << 100)
    one.two[1] = 5
    assert [*one.two] == [0, 5]


def test_odd_sizes_become_bytes(c: Basics) -> None:
    half = c.btf.add_float("_Float16", 2)
    three = c.btf.add_int("int24", 3)
    c.btf.add_struct("s", 8, [("half", half, 0), ("three", three, 16)])
    text = generated(blueprint(c.btf), types=("s",))
    assert "``_Float16 half`` (a float of 2 bytes, left as bytes)." in text
    assert "(an integer of 3 bytes, left as bytes)" in text
    one = loaded(text).S()
    one.three = b"\1\2\3"
    assert bytes(one) == b"\0\0\1\2\3\0\0\0"


def test_gaps_and_the_tail_are_filled(c: Basics) -> None:
    c.btf.add_struct("s", 64, [("a", c.u8, 0), ("b", c.u32, 128)])
    cls = struct_module(c.btf, "s").S
    assert ctypes.sizeof(cls) == 64
    assert cls.b.offset == 16
    assert bytes(cls(a=1, b=2)) == b"\1" + bytes(15) + c32(2) + bytes(44)


@pytest.mark.parametrize("size", [16, 15])
def test_a_packed_struct_keeps_size_and_offsets(c: Basics, size: int) -> None:
    members = [("a", c.u8, 0), ("b", c.u32, 8), ("c", c.u64, 56)]
    c.btf.add_struct("s", size, members)
    cls = struct_module(c.btf, "s").S
    assert ctypes.sizeof(cls) == size
    assert (cls.b.offset, cls.c.offset) == (1, 7)


def test_a_packed_struct_within_another_keeps_its_values(c: Basics) -> None:
    inner = c.btf.add_struct("inner", 5, [("a", c.u8, 0), ("b", c.u32, 8)])
    c.btf.add_struct("outer", 8, [("x", c.u8, 0), ("i", inner, 8), ("y", c.u16, 48)])
    outer = struct_module(c.btf, "outer").Outer(x=1, y=2)
    outer.i.b = 0x01020304
    assert outer.i.b == 0x01020304


def test_bit_fields_keep_their_values_and_ranges(c: Basics) -> None:
    kind = c.btf.add_enum("kind", [("LOW", -1), ("HIGH", 1)])
    members = [
        ("a", c.u32, 0, 3),
        ("b", c.int, 3, 5),
        ("kind", kind, 8, 2),
        ("flag", c.bool, 10, 1),
        ("after", c.u16, 16),
        ("__reserved", c.u32, 32, 7),
        ("", c.u32, 39, 9),
        ("last", c.u64, 48, 16),
    ]
    c.btf.add_struct("s", 8, members)
    one = struct_module(c.btf, "s").S(a=5, b=-3, kind=-1, flag=1, after=7, last=65535)
    assert (one.a, one.b, one.kind, one.flag, one.after, one.last) == (
        5,
        -3,
        -1,
        1,
        7,
        65535,
    )
    word = 5 | (-3 & 31) << 3 | 3 << 8 | 1 << 10 | 7 << 16 | 65535 << 48
    assert not LITTLE or bytes(one) == word.to_bytes(8, "little")
    with pytest.raises(OverflowError, match=r"S\.a must be int in 0\.\.7"):
        one.a = 8


def test_bit_fields_of_old_btf_have_the_width_of_their_type(c: Basics) -> None:
    """Before clang 7 and ``kflag``, a type of its own said how wide it was."""
    three = c.btf.add_int("unsigned int", 4, bits=3)
    five = c.btf.add_int("unsigned int", 4, bits=5, bit_offset=1)
    c.btf.add_struct("s", 4, [("a", three, 0), ("b", five, 3)])
    text = generated(blueprint(c.btf), types=("s",))
    assert "a: int = rt.bits(0, width=3)" in text
    assert "b: int = rt.bits(4, width=5)" in text


def test_members_of_anonymous_ones_belong_to_the_outer_struct(c: Basics) -> None:
    btf = c.btf
    low_high = btf.add_struct("", 4, [("low", c.u16, 0), ("high", c.u16, 16)])
    bits = btf.add_struct("", 4, [("flag", c.u32, 0, 1), ("rest", c.u32, 1, 31)])
    big = btf.add_int("__int128", 16)
    other = btf.add_struct("", 16, [("huge", big, 0)])
    union = btf.add_union(
        "", 16, [("", low_high, 0), ("", bits, 0), ("word", c.u32, 0), ("", other, 0)]
    )
    btf.add_struct("s", 32, [("first", c.u32, 0), ("", union, 128)])
    cls = struct_module(btf, "s").S
    one = cls(first=9, word=0x80000001)
    assert (one.low, one.high) == ((1, 0x8000) if LITTLE else (0x8000, 1))
    assert (one.flag, one.rest) == (1, 0x40000000)
    one.huge = 1 << 127
    assert bytes(one)[16:] == (1 << 127).to_bytes(16, sys.byteorder)
    assert "huge=" in repr(one)


def test_anonymous_members_over_the_same_bytes_do_not_meet(c: Basics) -> None:
    """Hidden names must not meet, or ctypes takes one member for another."""
    btf = c.btf
    inner = btf.add_struct("", 4, [("a", c.u8, 0), ("b", c.u8, 16)])
    middle = btf.add_union("", 4, [("", inner, 0)])
    left = btf.add_struct("", 4, [("", middle, 0)])
    right = btf.add_struct("", 4, [("x", c.u8, 8)])
    union = btf.add_union("", 4, [("", left, 0), ("", right, 0)])
    btf.add_struct(
        "s", 8, [("", union, 0), ("", btf.add_struct("", 4, [("y", c.u8, 8)]), 32)]
    )
    one = struct_module(btf, "s").S(a=1, x=2, b=3, y=4)
    assert bytes(one) == b"\1\2\3\0\0\4\0\0"
    assert (one.a, one.x, one.b, one.y) == (1, 2, 3, 4)


def test_members_of_anonymous_ones_that_clash_are_numbered(c: Basics) -> None:
    inner = c.btf.add_struct("", 4, [("class", c.u32, 0)])
    c.btf.add_struct("s", 8, [("", inner, 0), ("class_", c.u32, 32)])
    made = struct_module(c.btf, "s").S(class_2=1, class_=2)
    assert (made.class_2, made.class_) == (1, 2)
    assert bytes(made) == (1).to_bytes(4, "little") + (2).to_bytes(4, "little")


def test_types_without_names_are_called_after_their_use(c: Basics) -> None:
    btf = c.btf
    inner = btf.add_struct("", 4, [("a", c.u32, 0)])
    kind = btf.add_enum("", [("KIND_A", 1)])
    alias = btf.add_typedef("pos_t", btf.add_struct("", 4, [("p", c.u32, 0)]))
    again = btf.add_typedef("position_t", alias)
    outer = btf.add_struct(
        "outer", 16, [("in", inner, 0), ("kind", kind, 32), ("pos", again, 64)]
    )
    data = with_globals(btf, ("outer", outer, 16), ("loose", btf.add_struct("", 4), 4))
    text = generated(blueprint(btf, data=(data,)))
    assert "class OuterIn(rt.Struct, size=4):\n" in text
    assert "``struct`` of member ``in`` in :class:`Outer`." in text
    assert "class OuterKind(enum.IntEnum):\n" in text
    assert (
        "class PosT(rt.Struct, size=4):\n" in text
    )  # named by the typedef closest to it
    assert "class Loose(rt.Struct, size=4):\n" in text
    assert "``struct`` of global ``loose``." in text
    loaded(text)


def test_flexible_arrays_are_tuples_or_bytes_at_the_end_alone(c: Basics) -> None:
    btf = c.btf
    btf.add_struct("words", 8, [("n", c.u64, 0), ("data", c.array(c.u16, 0), 64)])
    btf.add_struct("chars", 8, [("n", c.u64, 0), ("text", c.array(c.char, 0), 64)])
    btf.add_struct("middle", 8, [("none", c.array(c.u16, 0), 0), ("after", c.u64, 0)])
    text = generated(blueprint(btf), types=("words", "chars", "middle"))
    assert "data: tuple[int, ...] = rt.flexible(rt.U16, 8)" in text
    assert "text: bytes = rt.flexible_bytes(8)" in text
    module = loaded(text)
    assert module.Words().data == ()
    assert module.Chars().text == b""
    assert [*module.Middle(after=1).none] == []


def test_empty_structs_and_unions_have_no_bytes(c: Basics) -> None:
    empty = c.btf.add_struct("empty", 0)
    none = c.btf.add_union("none", 0)
    c.btf.add_struct("s", 4, [("e", empty, 0), ("n", none, 0), ("a", c.int, 0)])
    module = struct_module(c.btf, "s")
    assert ctypes.sizeof(module.Empty) == ctypes.sizeof(module.None_) == 0
    assert module.S(a=3).a == 3


def test_enumerations_of_every_size_become_enums(c: Basics) -> None:
    btf = c.btf
    small = btf.add_enum("small", [("A", 1)], size=1)
    signed = btf.add_enum("signed_one", [("M", -1)])
    wide = btf.add_enum64("wide", [("W", 1 << 40)])
    members = [("s", small, 0), ("m", signed, 32), ("w", wide, 64)]
    btf.add_struct("s", 16, members)
    data = with_globals(btf, ("kind", wide, 8))
    text = generated(blueprint(btf, data=(data,)), types=("s",))
    assert "compare with :class:`Small`." in text
    assert "kind = rt.Global(rt.enum(Wide, rt.U64), offset=0)" in text
    module = loaded(text)
    one = module.S(s=module.Small.A, m=-1, w=1 << 40)
    assert (one.s, one.m, one.w) == (1, module.SignedOne.M, module.Wide.W)
    with module.Demo.open() as skel:
        skel.data.kind = module.Wide.W
        assert skel.data.kind is module.Wide.W


def test_members_over_one_another_share_their_bytes(c: Basics) -> None:
    """Rust has it; ctypes has not."""
    c.btf.add_struct("s", 8, [("a", c.u64, 0), ("b", c.u16, 16)])
    one = struct_module(c.btf, "s").S(a=0)
    one.b = 0xFFFF
    assert bytes(one) == b"\0\0\xff\xff\0\0\0\0"


def test_pointers_end_the_walk(c: Basics) -> None:
    """A list's node has a pointer to a node, and so has no end as a tree."""
    own = c.btf.next_id
    c.btf.add_struct("node", 16, [("next", own + 1, 0), ("v", c.u64, 64)])
    c.btf.add_ptr(own)
    assert struct_module(c.btf, "node").Node(next=1, v=2).next == 1


# -- what cannot be ------------------------------------------------------------


def itself(c: Basics) -> None:
    own = c.btf.next_id
    c.btf.add_struct("s", 8, [("s", own, 0)])


def itself_through_an_array(c: Basics) -> None:
    own = c.btf.next_id
    c.btf.add_array(own + 1, c.u32, 1)
    c.btf.add_struct("s", 8, [("a", own, 0)])


def anonymous_in_itself(c: Basics) -> None:
    own = c.btf.next_id
    c.btf.add_union("", 8, [("", own, 0)])
    c.btf.add_struct("s", 8, [("", own, 0)])


def typedef_of_itself(c: Basics) -> None:
    own = c.btf.next_id
    c.btf.add_typedef("t", own)
    c.btf.add_struct("s", 8, [("a", own, 0)])


def array_of_itself(c: Basics) -> None:
    own = c.btf.next_id
    c.btf.add_array(own, c.u32, 2)
    c.btf.add_struct("s", 8, [("a", own, 0)])


def nested_without_end(c: Basics) -> None:
    inner = c.int
    for number in range(200):
        inner = c.btf.add_struct(f"s{number}", 4, [("a", inner, 0)])
    c.btf.add_struct("s", 4, [("a", inner, 0)])


def anonymous_without_end(c: Basics) -> None:
    """Two in each of sixty levels."""
    inner = c.btf.add_union("", 4)
    for _ in range(60):
        inner = c.btf.add_union("", 4, [("", inner, 0), ("", inner, 0)])
    c.btf.add_union("s", 4, [("", inner, 0)])


def without_a_size(c: Basics) -> None:
    c.btf.add_struct("s", 8, [("a", c.btf.add_fwd("later"), 0)])


def a_function(c: Basics) -> None:
    c.btf.add_struct("s", 8, [("a", c.btf.add_func_proto(0), 0)])


def nothing(c: Basics) -> None:
    c.btf.add_struct("s", 8, [("a", 0, 0)])


def outside(c: Basics) -> None:
    c.btf.add_struct("s", 8, [("a", c.u64, 32)])


def bits_outside(c: Basics) -> None:
    c.btf.add_struct("s", 1, [("a", c.u32, 5, 4)])


def within_a_byte(c: Basics) -> None:
    c.btf.add_struct("s", 8, [("a", c.u32, 3)])


def too_large(c: Basics) -> None:
    c.btf.add_struct("s", 8, [("a", c.array(c.u64, 1 << 31), 0)])


def odd_enum(c: Basics) -> None:
    c.btf.add_struct("s", 8, [("a", c.btf.add_enum("e", [("A", 1)], size=3), 0)])


@pytest.mark.parametrize(
    "spoil",
    [
        itself,
        itself_through_an_array,
        anonymous_in_itself,
        typedef_of_itself,
        array_of_itself,
        nested_without_end,
        anonymous_without_end,
        without_a_size,
        a_function,
        nothing,
        outside,
        bits_outside,
        within_a_byte,
        too_large,
        odd_enum,
    ],
    ids=lambda function: function.__name__,
)
def test_impossible_types_are_named(c: Basics, spoil: Callable[[Basics], None]) -> None:
    spoil(c)
    from skelgen.btf.errors import BtfParseError

    with pytest.raises((BtfError, BtfParseError)) as caught:
        struct_module(c.btf, "s")
    if isinstance(caught.value, BtfError):
        assert "'s" in str(caught.value) or "'e'" in str(caught.value)


def test_a_global_larger_than_its_place_is_refused(c: Basics) -> None:
    data = with_globals(c.btf, ("g", c.u64, 4))
    with pytest.raises(BtfError, match="global 'g': 8 bytes at offset 0 do not fit"):
        generated(blueprint(c.btf, data=(data,)))
