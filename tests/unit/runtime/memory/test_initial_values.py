"""Globals as they are before load: what the C file initializes is what Python reads.

No kernel takes part, so this is the whole way from C through clang, ELF, BTF and the
generated module to the runtime's views, once for each kind of type.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest

from skelgen.codegen.names import camel

Opened = Callable[[str], tuple[Any, ModuleType]]


@pytest.fixture
def opened(make_skeleton: Callable[[str], ModuleType]) -> Iterator[Opened]:
    """Return a function from a fixture's name to its skeleton, opened, and module."""
    with ExitStack() as stack:

        def open_one(name: str) -> tuple[Any, ModuleType]:
            module = make_skeleton(name)
            skel = getattr(module, camel(name)).open()
            return stack.enter_context(skel), module

        yield open_one


def test_scalars_start_as_the_file_has_them(opened: Opened) -> None:
    skel, _ = opened("types_scalars")
    data, rodata, bss = skel.data, skel.rodata, skel.bss
    assert (data.i8, data.u8, data.i16, data.u16) == (-8, 8, -1600, 1600)
    assert (data.i32, data.u32) == (-320000, 3200000000)
    assert (data.i64, data.u64) == (-6400000000000, 0xFEDCBA9876543210)
    assert (data.ll, data.ull) == (1 << 62, 1 << 63)
    assert (data.kernel_u8, data.kernel_s8, data.kernel_u64) == (1, -1, 1)
    assert data.letter == ord("x")
    assert data.yes is True
    assert bss.no is False
    assert (data.third, data.precise) == (0.25, -1.5)
    assert (data.wide, data.uwide) == (-(1 << 100), 1 << 100)
    assert (data.moving, rodata.fixed, rodata.limit) == (3, 4, 5)
    assert rodata.flag is True
    assert rodata.rowide == 7
    assert (bss.zero_int, bss.zero_u64, bss.zero_wide) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("i8", -(1 << 7), (1 << 7) - 1),
        ("u8", 0, (1 << 8) - 1),
        ("i16", -(1 << 15), (1 << 15) - 1),
        ("u16", 0, (1 << 16) - 1),
        ("i32", -(1 << 31), (1 << 31) - 1),
        ("u32", 0, (1 << 32) - 1),
        ("i64", -(1 << 63), (1 << 63) - 1),
        ("u64", 0, (1 << 64) - 1),
        ("wide", -(1 << 127), (1 << 127) - 1),
        ("uwide", 0, (1 << 128) - 1),
    ],
)
def test_integers_take_their_bounds_and_nothing_beyond(
    opened: Opened, name: str, low: int, high: int
) -> None:
    skel, _ = opened("types_scalars")
    for value in (low, high):
        setattr(skel.data, name, value)
        assert getattr(skel.data, name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(OverflowError, match=name):
            setattr(skel.data, name, value)
    assert getattr(skel.data, name) == high


def test_structs_start_as_the_file_has_them(opened: Opened) -> None:
    skel, module = opened("types_structs")
    data = skel.data
    assert (skel.bss.origin.x, skel.bss.origin.y) == (0, 0)
    assert (data.start.x, data.start.y) == (1, -2)
    assert (data.line.from_.x, data.line.from_.y) == (1, 2)
    assert (data.line.to.x, data.line.to.y, data.line.name) == (3, 4, b"line")
    assert data.anon.kind == 4
    assert data.anon.v4 == 0x7F000001
    assert [*data.anon.v6[:4]] == [1, 0, 0, 0x7F]
    assert (data.anon.low, data.anon.high) == (1, 0x7F00)
    assert (data.anon.named.first, data.anon.named.second) == (5, 6)
    assert data.anon.both.raw == 0
    assert data.deep.b.c.bottom == 9
    assert data.deep.b.c.other == 9
    assert data.deep.next == 0
    assert data.value.word == 0x1122334455667788
    assert data.value.byte == 0x88
    assert data.holds.something == 2
    assert (data.tail.a, data.tail.b) == (1, 2)
    assert (data.unnamed.a, data.unnamed.inner.b) == (10, 20)
    assert skel.rodata.config.kind == 6
    point = module.Point(x=7, y=8)
    data.start = point
    assert (data.start.x, data.start.y) == (7, 8)
    point.x = 9
    assert data.start.x == 7  # a copy went in
    data.start.x = 10
    assert skel.data.start.x == 10  # a view came out


def test_bitfields_start_as_the_file_has_them(opened: Opened) -> None:
    skel, module = opened("types_bitfields")
    data = skel.data
    assert (data.simple.a, data.simple.b, data.simple.c) == (5, 17, 0xABCDEF)
    mixed = data.mixed
    assert (mixed.whole, mixed.s, mixed.u) == (-1, -3, 21)
    assert mixed.colour == module.Colour.BLUE
    assert mixed.on == 1
    assert (mixed.small, mixed.next) == (9, 77)
    assert (data.wide.low, data.wide.high, data.wide.sign) == (1 << 39, 3, -2)
    assert (data.last.word, data.last.tail) == (1, 300)
    assert (data.in_union.both, data.in_union.lo, data.in_union.hi) == (
        0x1234,
        0x4,
        0x123,
    )
    mixed.s = -64
    assert (mixed.whole, mixed.s, mixed.u, mixed.small) == (-1, -64, 21, 9)
    with pytest.raises(OverflowError):
        mixed.s = 64
    with pytest.raises(OverflowError):
        data.simple.a = 8
    assert data.simple.b == 17


def test_enums_start_as_members_of_their_classes(opened: Opened) -> None:
    skel, module = opened("types_enums")
    data = skel.data
    assert data.plain is module.Plain.PLAIN_B
    assert data.negative is module.Negative.NEG_LOW
    assert data.large is module.Large.LARGE_TOP
    assert data.huge is module.Huge.HUGE_BIT
    assert data.huge_signed is module.HugeSigned.HS_MIN
    assert data.tiny is module.Tiny.TINY_B
    assert data.doubled is module.Doubled.FIRST
    assert data.sw is module.TdSwitch.TD_ON
    assert data.aliased is module.Plain.PLAIN_C
    assert data.loose == 1
    assert [*data.row] == [0, 5, 6, 0]
    holder = data.holder
    assert (holder.tiny, holder.plain, holder.huge) == (1, 5, 1 << 40)
    assert (holder.sw, holder.inside) == (7, 12)
    assert skel.rodata.wanted == (1 << 64) - 1
    data.plain = module.Plain.PLAIN_A
    assert data.plain == 0
    data.huge = module.Huge.HUGE_TOP
    assert data.huge == (1 << 64) - 1


def test_arrays_start_as_the_file_has_them(opened: Opened) -> None:
    skel, _ = opened("types_arrays")
    data = skel.data
    assert [*data.one] == [1, 2, 3, 4]
    assert [[*row] for row in data.matrix] == [[1, 2, 3], [4, 5, 6]]
    assert data.cube[0][1][0] == 2
    assert [*data.cube[1][0]] == [3, 4, 5, 6]
    assert [*data.vector] == [7, 8, 9]
    assert data.vectors[1][0] == 2
    assert (data.cells[0].id, [*data.cells[0].bytes]) == (1, [2, 3, 4])
    assert data.cells[1].id == 5
    assert data.text == b"hello"
    assert [*data.lines] == [b"one", b"three"]
    assert [*data.flags] == [True, False, True, False, False]
    assert [*data.floats] == [0.5, -0.5]
    assert data.flexible.count == 3
    assert data.filled.count == 2
    assert data.flexible_zero.head == 1
    assert [*skel.rodata.table] == [1, 1, 2, 3, 5]
    assert [*skel.bss.pointers] == [0, 0]
    assert [*skel.bss.wides] == [0, 0]
    data.matrix[1][2] = -7
    assert [*skel.data.matrix[1]] == [4, 5, -7]
    skel.bss.grid[1][0].id = 65535
    assert skel.bss.grid[1][0].id == 65535
    with pytest.raises(IndexError):
        data.one[4]
    with pytest.raises(OverflowError):
        data.one[0] = 1 << 31


def test_packed_structs_start_as_the_file_has_them(opened: Opened) -> None:
    skel, _ = opened("types_packed")
    data, bss = skel.data, skel.bss
    packed = data.packed
    assert (packed.a, packed.b, packed.c, packed.d) == (1, 2, 3, 4)
    assert (data.packed_aligned.a, data.packed_aligned.b) == (5, 6)
    assert data.cache_line.count == 7
    inner = data.inner_aligned
    assert (inner.first, inner.second, inner.third) == (8, 9, 10)
    member = data.packed_member
    assert (member.a, member.b, member.c) == (11, 12, 13)
    holds = data.holds_packed
    assert (holds.head, holds.p.a, holds.p.b, holds.p.c, holds.p.d) == (
        14,
        15,
        16,
        17,
        18,
    )
    bits = data.packed_bits
    assert (bits.a, bits.b, bits.c) == (5, 1000, 19)
    assert (data.one, data.aligned_int, data.two, data.after_gap) == (1, 20, 2, 21)
    assert (bss.bss_one, bss.bss_aligned, bss.bss_two) == (0, 0, 0)
    holds.array[1].d = (1 << 64) - 1
    assert skel.data.holds_packed.tail == 0


def test_strings_start_as_the_file_has_them(opened: Opened) -> None:
    skel, _ = opened("types_strings")
    data = skel.data
    assert data.greeting == b"hello"
    assert data.exact == b"exact"
    assert skel.bss.empty == b""
    assert data.quotes == b"\"\"\"'''\\ \n\t\r"
    assert data.utf8.decode() == "gr\u00fc\u00df"
    assert data.latin1 == b"gr\xfc\xdf"
    assert [*data.raw] == [0, 255, 0, 1, 128, 0]
    assert [*data.signed_raw] == [-1, 0, 1]
    assert data.record.comm == b"python3"
    assert data.record.tag == b"x"
    assert [*data.record.bytes] == [1, 2, 3, 4]
    assert skel.rodata.constant == b"a constant"
    skel.rodata.name_filter = b"sixteen--letters"
    assert skel.rodata.name_filter == b"sixteen--letters"
    with pytest.raises((OverflowError, ValueError), match="name_filter"):
        skel.rodata.name_filter = b"seventeen letters"
    with pytest.raises(TypeError, match="name_filter"):
        skel.rodata.name_filter = "text"


def test_typedefs_start_as_the_file_has_them(opened: Opened) -> None:
    skel, module = opened("types_typedefs")
    data = skel.data
    assert (data.counter, skel.rodata.constant) == (3, 4)
    assert (data.pair.a, data.pair.b) == (1, 2)
    assert (data.either.pair.a, data.either.pair.b) == (2, 1)
    assert (data.head.next, data.head.pair.b) == (0, 6)
    assert (data.nested.sub[1].in_.b, data.nested.mode) == (4, 1)
    assert data.pairs[1].a == 2
    assert isinstance(data.alias, module.PairT)


def test_pointers_start_as_null_and_take_64_bits(opened: Opened) -> None:
    skel, _ = opened("types_pointers")
    bss = skel.bss
    assert (bss.any, bss.function, bss.ops.callback, bss.ops.next) == (0, 0, 0, 0)
    assert [*bss.array_of_pointers] == [0, 0, 0]
    bss.any = (1 << 64) - 1
    assert bss.any == (1 << 64) - 1


def test_names_that_are_keywords_get_an_underscore(opened: Opened) -> None:
    skel, module = opened("names_keywords")
    data, bss = skel.data, skel.bss
    assert (data.class_, data.def_, data.match, data.type) == (1, 2, 3, 4)
    assert (bss.is_, bss.raise_) == (0, 0)
    assert (data.print, data.rt_, data.ctypes, data._spec) == (5, 9, 10, 11)
    assert (data._single, data.MixedCase, data.A1_) == (8, 12, 13)
    assert not hasattr(data, "__private")
    assert not hasattr(data, "__dunder__")
    assert data.yield_ == module.Yield.await_ == 7
    assert skel.rodata.pass_ == 14
    value = module.Def(from_=1, class_=2, self=3, None_=4)
    assert (value.from_, value.class_, value.self) == (1, 2, 3)
    assert skel.maps.import_.name == "import"
    assert skel.progs.del_.name == "del"


def test_sections_have_their_own_variables(opened: Opened) -> None:
    skel, _ = opened("sections_custom")
    assert (skel.data.plain, skel.rodata.ro_plain, skel.bss.zero_plain) == (1, 6, 0)
    assert (skel.data_foo.in_foo, skel.data_foo.in_foo_too) == (2, 3)
    assert skel.data_one_two.in_dotted == 4
    assert skel.data_a_very_long_section_name_indeed.in_long == 5
    assert (skel.rodata_bar.ro_bar, skel.rodata_text.ro_text) == (7, b"text")
    assert (skel.data_stats.stats.hits, skel.data_stats.stats.bytes) == (1, 2)
    skel, _ = opened("sections_bss")
    assert (skel.bss.plain, skel.bss_x.in_x) == (0, 0)
    assert [*skel.bss_counters.array] == [0, 0, 0]
    assert not hasattr(skel, "bss_static")


def test_static_and_hidden_variables_have_no_attribute(opened: Opened) -> None:
    skel, _ = opened("linkage")
    data, rodata = skel.data, skel.rodata
    assert (data.first, data.second, data.third, data.weak_one) == (1, 3, 5, 6)
    assert (rodata.ro_first, rodata.ro_last) == (7, 10)
    for section in (data, rodata, skel.bss):
        names = {name for name in dir(section) if not name.startswith("_")}
        assert not {name for name in names if "static" in name or "hidden" in name}


def test_the_text_of_a_wrong_value_names_the_global(opened: Opened) -> None:
    skel, _ = opened("types_scalars")
    with pytest.raises(TypeError, match=r"i32.*str"):
        skel.data.i32 = "12"
    with pytest.raises(AttributeError):
        skel.data.no_such_global = 1
