"""Broken BTF gives a BtfParseError and nothing else."""

import contextlib
import random
import tracemalloc
from collections.abc import Callable

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.decl import LONGEST, declaration, type_name
from skelgen.btf.dump_c import definition
from skelgen.btf.edit import BtfEditor
from skelgen.btf.errors import BtfParseError
from skelgen.btf.index import KernelBtf
from skelgen.btf.kinds import Kind
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import align_of, size_of, skip_mods, skip_mods_and_typedefs
from skelgen.btf.verify import check
from tests.harness.btf import every_kind

BYTEORDERS = ("little", "big")

USES: tuple[Callable[[Btf, int], object], ...] = (
    size_of,
    align_of,
    skip_mods,
    skip_mods_and_typedefs,
    section_vars,
    type_name,
    declaration,
    definition,
    Btf.ref,
    Btf.name,
    Btf.type,
)


def read(data: bytes, reader: type[Btf]) -> Btf | BtfParseError:
    try:
        return reader(data)
    except BtfParseError as error:
        return error


def use(data: bytes, reader: type[Btf] = Btf) -> None:
    """Do all that one can do with BTF; errors other than BtfParseError get out."""
    btf = read(data, reader)
    if isinstance(btf, BtfParseError):
        assert btf.offset is not None
        assert 0 <= btf.offset <= max(len(data), 24)
        return
    with contextlib.suppress(BtfParseError):
        check(btf)
    for type_id in range(len(btf) + 2):
        for function in USES:
            with contextlib.suppress(BtfParseError):
                function(btf, type_id)
    btf.find("s")
    btf.find_all("s", Kind.STRUCT, Kind.FUNC)
    if isinstance(btf, KernelBtf):
        btf.candidates("s", Kind.STRUCT)
        assert type(btf).from_index(data, btf.index_bytes()).find("s") == btf.find("s")
    with contextlib.suppress(BtfParseError):
        assert len(BtfEditor(data).bytes()) > 0


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_a_cut_at_every_byte_is_refused_with_an_offset(byteorder: str) -> None:
    data = every_kind(byteorder).bytes()
    for length in range(len(data)):
        with pytest.raises(BtfParseError) as caught:
            Btf(data[:length])
        assert caught.value.offset is not None


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_types_cut_within_a_record_are_refused(byteorder: str) -> None:
    """The header agrees with the length, so that records themselves are cut."""
    whole = every_kind(byteorder)
    ends = {*whole._positions, len(whole._types)}
    for length in range(len(whole._types)):
        cut = every_kind(byteorder)
        del cut._types[length:]
        if length in ends:
            assert len(Btf(cut.bytes())) <= len(Btf(whole.bytes()))
        else:
            with pytest.raises(BtfParseError, match=r"past the end|middle of a word"):
                Btf(cut.bytes())


@pytest.mark.parametrize("reader", [Btf, KernelBtf])
@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_changed_bytes_raise_nothing_but_a_parse_error(
    byteorder: str, reader: type[Btf]
) -> None:
    data = every_kind(byteorder).bytes()
    chance = random.Random(byteorder + reader.__name__)  # noqa: S311 - a test
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 2, 8))):
            broken[chance.randrange(len(broken))] = chance.choice(
                (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
            )
        use(bytes(broken), reader)


@pytest.mark.parametrize("reader", [Btf, KernelBtf])
def test_overwritten_words_raise_nothing_but_a_parse_error(reader: type[Btf]) -> None:
    whole = every_kind()
    for position in range(0, len(whole._types), 4):
        for value in (0, 1, 7, 0x00FFFFFF, 0x7FFFFFFF, 0xFFFFFFFF):
            broken = bytearray(whole.bytes())
            broken[24 + position : 28 + position] = value.to_bytes(4, "little")
            # the use of each takes milliseconds: a third of them is enough
            if (position // 4 + value) % 3 == 0:
                use(bytes(broken), reader)


def header(**changes: int) -> bytes:
    """Return good BTF with another header; names as in ``struct btf_header``."""
    places = {
        "magic": (0, 2),
        "version": (2, 1),
        "hdr_len": (4, 4),
        "type_off": (8, 4),
        "type_len": (12, 4),
        "str_off": (16, 4),
        "str_len": (20, 4),
    }
    data = bytearray(every_kind().bytes())
    for name, value in changes.items():
        at, size = places[name]
        data[at : at + size] = value.to_bytes(size, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"magic": 0x1234}, "this is not BTF"),
        ({"magic": 0x9FFF}, "this is not BTF"),
        ({"version": 2}, "version 2"),
        ({"hdr_len": 20}, "header of 20 bytes"),
        ({"hdr_len": 0xFFFFFFFF}, "header of 4294967295 bytes"),
        ({"type_off": 2}, "not aligned"),
        ({"type_off": 0xFFFFFFFC}, "do not fit"),
        ({"type_len": 0xFFFFFFFF}, "do not fit"),
        ({"type_len": 5}, "middle of a word"),
        ({"str_off": 0}, "do not fit"),
        ({"str_off": 0xFFFFFFFF}, "do not fit"),
        ({"str_len": 0xFFFFFFFF}, "do not fit"),
        ({"str_len": 0}, "do not end with NUL"),
        ({"str_len": 2}, "do not end with NUL"),
    ],
)
def test_a_broken_header_is_refused(changes: dict[str, int], text: str) -> None:
    with pytest.raises(BtfParseError, match=text):
        Btf(header(**changes))


def test_a_layout_section_out_of_place_is_refused() -> None:
    builder = every_kind()
    builder._layout = bytes(80)
    data = bytearray(builder.bytes())
    assert len(Btf(data)) == 36
    for offset, size in ((2, 4), (0, 4), (len(builder._types), 0xFFFFFFFF)):
        data[24:32] = offset.to_bytes(4, "little") + size.to_bytes(4, "little")
        with pytest.raises(BtfParseError, match=r"layout|aligned"):
            Btf(data)


def test_strings_without_the_empty_one_are_refused() -> None:
    builder = BtfBuilder()
    builder._strings[0] = ord("x")
    builder._strings += b"\0"
    with pytest.raises(BtfParseError, match="does this BTF continue a base"):
        Btf(builder.bytes())


def test_unknown_and_void_kinds_are_refused() -> None:
    for kind in (0, 20, 0x7F):
        builder = BtfBuilder()
        builder.add_int("int", 4)
        builder._add(kind)
        with pytest.raises(BtfParseError, match=f"kind {kind} is unknown") as caught:
            Btf(builder.bytes())
        assert caught.value.offset == 24 + 16


def test_a_huge_vlen_raises_nothing_but_a_parse_error() -> None:
    for kind in Kind:
        if kind in {Kind.UNKNOWN, Kind.VOID, Kind.FUNC}:
            continue
        builder = BtfBuilder()
        builder._add(kind, vlen=0xFFFFFF, payload=(0, 0, 0))
        data = builder.bytes()
        use(data)
        use(data, KernelBtf)


def test_type_numbers_out_of_range_are_refused() -> None:
    btf = Btf(every_kind().bytes())
    for type_id in (-1, 36, 1 << 31, 1 << 40):
        for function in (btf.type, btf.kind, btf.name, btf.ref, btf.record, btf.offset):
            with pytest.raises(BtfParseError, match=f"no type {type_id}"):
                function(type_id)


def test_references_out_of_range_are_refused() -> None:
    add: tuple[Callable[[BtfBuilder], int], ...] = (
        lambda b: b.add_ptr(99),
        lambda b: b.add_typedef("t", 99),
        lambda b: b.add_volatile(99),
        lambda b: b.add_const(99),
        lambda b: b.add_restrict(99),
        lambda b: b.add_type_tag("t", 99),
        lambda b: b.add_decl_tag("t", 99),
        lambda b: b.add_var("v", 99),
        lambda b: b.add_func("f", 99),
        lambda b: b.add_array(99, 1, 1),
        lambda b: b.add_array(1, 99, 1),
        lambda b: b.add_struct("s", 4, [("a", 99, 0)]),
        lambda b: b.add_union("s", 4, [("a", 99, 0, 3)]),
        lambda b: b.add_func_proto(99),
        lambda b: b.add_func_proto(0, [("a", 99)]),
        lambda b: b.add_datasec(".x", 4, [(99, 0, 4)]),
    )
    for one in add:
        builder = BtfBuilder()
        builder.add_int("int", 4)
        type_id = one(builder)
        btf = Btf(builder.bytes())
        with pytest.raises(BtfParseError, match="refers to type 99") as caught:
            btf.type(type_id)
        assert caught.value.offset == btf.offset(type_id)
        with pytest.raises(BtfParseError):
            check(btf)
        if btf.kind(type_id) not in {
            Kind.ARRAY,
            Kind.STRUCT,
            Kind.UNION,
            Kind.DATASEC,
            Kind.FUNC_PROTO,
        }:
            with pytest.raises(BtfParseError, match="refers to type 99"):
                btf.ref(type_id)


def test_a_function_without_a_prototype_is_refused() -> None:
    builder = BtfBuilder()
    builder.add_int("int", 4)
    builder.add_func("f", 1)
    with pytest.raises(BtfParseError, match="which is no prototype"):
        Btf(builder.bytes()).type(2)


def test_a_section_of_what_is_no_variable_is_refused() -> None:
    builder = BtfBuilder()
    builder.add_int("int", 4)
    builder.add_datasec(".data", 4, [(1, 0, 4)])
    btf = Btf(builder.bytes())
    with pytest.raises(BtfParseError, match=r"section '.data': type 1 is no variable"):
        check(btf)
    with pytest.raises(BtfParseError, match="type 1 is no data section"):
        section_vars(btf, 1)


def test_strings_out_of_range_and_not_utf_8_are_refused() -> None:
    builder = BtfBuilder()
    builder.add_struct("good", 4)
    bad = builder.add_typedef("bad", 1)
    builder._types[16 - 4 : 16] = (99).to_bytes(4, "little")
    builder._strings[-4:] = b"\xff\xfe!\0"
    for reader in (Btf, KernelBtf):
        btf = reader(builder.bytes())
        with pytest.raises(BtfParseError, match="no string 0x63"):
            btf.name(bad)
        assert btf.find("good") == 1
        assert btf.find("bad") is None
        with pytest.raises(BtfParseError, match="is not UTF-8") as caught:
            btf.string(6)
        assert caught.value.offset is not None
        for name in ("", "go\0od", "\udcff", "\ud800"):
            assert btf.find(name) is None
            assert btf.find_all(name) == []


def circles() -> dict[str, BtfBuilder]:
    """Return BTF whose last type consists of itself."""
    found: dict[str, BtfBuilder] = {}
    for name in ("typedef", "const", "array", "struct", "pair", "var", "tag"):
        builder = found[name] = BtfBuilder()
        builder.add_int("int", 4)
        me = builder.next_id
        if name == "typedef":
            builder.add_typedef("t", me)
        elif name == "const":
            builder.add_const(me)
        elif name == "array":
            builder.add_array(me, 1, 2)
        elif name == "struct":
            builder.add_struct("s", 8, [("a", 1, 0), ("me", me, 32)])
        elif name == "pair":
            builder.add_struct("", 8, [("b", me + 1, 0)])
            builder.add_union("", 8, [("a", me, 0)])
        elif name == "var":
            builder.add_var("v", me)
        else:
            builder.add_type_tag("t", me)
    return found


@pytest.mark.parametrize("name", circles())
def test_types_that_consist_of_themselves_are_refused(name: str) -> None:
    btf = Btf(circles()[name].bytes())
    with pytest.raises(BtfParseError, match="consists of itself"):
        check(btf)
    use(btf.raw)
    last = len(btf) - 1
    if name not in {"struct", "pair"}:  # a struct states its size
        with pytest.raises(BtfParseError, match=r"itself|larger"):
            size_of(btf, last)
    with pytest.raises(BtfParseError, match=r"itself|deep"):
        align_of(btf, last)
    if name in {"typedef", "const", "tag"}:
        with pytest.raises(BtfParseError, match="itself"):
            skip_mods_and_typedefs(btf, last)


def test_a_pointer_to_itself_has_a_size_and_no_name() -> None:
    builder = BtfBuilder()
    builder.add_ptr(1)
    btf = Btf(builder.bytes())
    check(btf)
    assert size_of(btf, 1) == align_of(btf, 1) == 8
    with pytest.raises(BtfParseError, match="has no end"):
        type_name(btf, 1)


def test_pointers_break_a_circle() -> None:
    builder = BtfBuilder()
    builder.add_struct("list_head", 16, [("next", 2, 0), ("prev", 2, 64)])
    builder.add_ptr(1)
    btf = Btf(builder.bytes())
    check(btf)
    assert align_of(btf, 1) == 8


def test_a_prototype_that_takes_itself_is_refused() -> None:
    builder = BtfBuilder()
    builder.add_func_proto(0, [("f", 2), ("g", 2)])
    builder.add_ptr(1)
    btf = Btf(builder.bytes())
    with pytest.raises(BtfParseError, match=r"deep|long"):
        declaration(btf, 2, "f")


def nested(depth: int, width: int) -> BtfBuilder:
    """Return a struct in a struct in a struct ..., each ``width`` times, anonymous."""
    builder = BtfBuilder()
    builder.add_int("int", 4)
    for _ in range(depth):
        inner = builder.next_id - 1
        builder.add_struct("", 4, [("x", inner, 0)] * width)
    return builder


@pytest.mark.parametrize(("depth", "width"), [(60, 2), (5000, 1), (40, 300)])
def test_nesting_without_end_is_bounded(depth: int, width: int) -> None:
    builder = nested(depth, width)
    btf = Btf(builder.bytes())
    check(btf)
    last = len(btf) - 1
    for function in (declaration, definition):
        with contextlib.suppress(BtfParseError):
            assert len(function(btf, last)) < 10_000_000
    if depth > 64:
        with pytest.raises(BtfParseError, match="64 deep"):
            align_of(btf, last)
        with pytest.raises(BtfParseError, match=r"deep|long"):
            definition(btf, last)
    else:
        assert align_of(btf, last) == 4


def test_chains_without_end_are_bounded() -> None:
    builder = BtfBuilder()
    builder.add_int("int", 4)
    for _ in range(20_000):
        builder.add_const(builder.next_id - 1)
    btf = Btf(builder.bytes())
    check(btf)
    last = len(btf) - 1
    assert skip_mods_and_typedefs(btf, 200) == 1
    assert size_of(btf, 200) == align_of(btf, 200) == 4
    for function in (skip_mods, skip_mods_and_typedefs, size_of, align_of):
        with pytest.raises(BtfParseError, match="too many types"):
            function(btf, last)
    with pytest.raises(BtfParseError, match="has no end"):
        type_name(btf, last)


def test_sizes_that_overflow_are_refused() -> None:
    builder = BtfBuilder()
    item = builder.add_struct("s", 0xFFFFFFFF)
    for _ in range(40):
        item = builder.add_array(item, 1, 0xFFFFFFFF)
    none = builder.add_array(builder.next_id - 1, 1, 0)
    large = builder.add_struct("huge", 0xFFFFFFFF, [("s", 1, 0)])
    btf = Btf(builder.bytes())
    assert size_of(btf, 1) == 0xFFFFFFFF
    for type_id in (item, item - 20):
        with pytest.raises(BtfParseError, match="larger than 4 GB"):
            size_of(btf, type_id)
    assert size_of(btf, none) == 0
    assert len(definition(btf, large)) < 1000


def test_offsets_and_sizes_of_structs_may_be_anything() -> None:
    builder = BtfBuilder()
    builder.add_int("nothing", 0)
    builder.add_int("int", 4)
    for size in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
        for offset in (0, 1, 31, 0xFFFFFF):
            builder.add_struct("s", size, [("a", 1, offset, 1), ("b", 2, offset, 40)])
            builder.add_union("u", size, [("a", 1, offset), ("b", 2, offset)])
    use(builder.bytes())


def tails(length: int, step: int) -> bytes:
    """Return BTF with structs named by the tails of one string."""
    builder = BtfBuilder()
    start = builder.add_string("x" * length)
    for offset in range(0, length, step):
        builder._known[b"tail"] = start + offset  # stores no string twice
        builder.add_struct("tail", 0)
    return builder.bytes()


@pytest.mark.parametrize("reader", [Btf, KernelBtf])
def test_names_that_are_tails_of_one_long_string_are_refused(reader: type[Btf]) -> None:
    data = tails(300_000, 15)
    tracemalloc.start()
    try:
        with pytest.raises(BtfParseError, match="overlap"):
            reader(data).find("x")
        with pytest.raises(BtfParseError, match="overlap"):
            check(reader(data))
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_a_linker_may_share_tails() -> None:
    """``long_name`` and ``name``: LLVM's linker lays strings out so."""
    btf = Btf(tails(240, 10))
    check(btf)
    assert [len(btf.name(type_id)) for type_id in btf.ids()] == [*range(240, 0, -10)]
    assert btf.find("x" * 200) == 5


def test_one_long_prototype_is_written_once_and_cut() -> None:
    builder = BtfBuilder()
    integer = builder.add_int("int", 4)
    inner = builder.add_ptr(builder.add_func_proto(0, [("p", integer)] * 60_000))
    outer = builder.add_ptr(builder.add_func_proto(integer, [("f", inner)] * 60_000))
    btf = Btf(builder.bytes())
    text = declaration(btf, outer, "call")
    assert text.startswith("int (*call)(void (*f)(int p, int p, ")
    assert len(text) == LONGEST
    assert text.endswith(" ...")
    assert len(btf.declarations) < 6
    many = builder.add_func_proto(0, [("p", integer)] * 10)
    short = declaration(Btf(builder.bytes()), many, "f")
    assert short == f"void f({', '.join(['int p'] * 10)})"
