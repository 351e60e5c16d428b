"""BTF of Linux 7.1 and later: a layout section, and wider fields of ``info``."""

import struct

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.dump_c import definition
from skelgen.btf.dump_header import header as header_dump
from skelgen.btf.dump_raw import raw_dump
from skelgen.btf.edit import BtfEditor
from skelgen.btf.errors import BtfParseError
from skelgen.btf.flat import FlatTypes
from skelgen.btf.header import without_layout
from skelgen.btf.index import KernelBtf
from skelgen.btf.kinds import MAX_KIND, MAX_VLEN, ROWS, Kind
from skelgen.btf.parse import Btf
from skelgen.btf.types import Enum, Ptr, Struct, Unknown
from skelgen.btf.verify import check
from tests.harness.btf import every_kind, layout_of

BYTEORDERS = ("little", "big")
LATEST = max(ROWS)


def with_unknown(byteorder: str = "little", kind: int = LATEST + 1) -> BtfBuilder:
    """Return types of which the second is of a kind that nobody knows."""
    builder = BtfBuilder(byteorder)
    builder.add_int("int", 4)
    builder._add(kind, "future", third=1, vlen=2, payload=(1, 2, 3, 4, 5))
    builder.add_ptr(1)
    builder.add_struct("s", 4, [("a", 1, 0)])
    builder._layout = layout_of({kind: (4, 8)})
    return builder


@pytest.mark.parametrize("byteorder", BYTEORDERS)
@pytest.mark.parametrize("reader", [Btf, KernelBtf])
@pytest.mark.parametrize("kind", [LATEST + 1, 31, 32, 64, MAX_KIND])
def test_unknown_kinds_are_skipped(
    byteorder: str, reader: type[Btf], kind: int
) -> None:
    data = with_unknown(byteorder, kind).bytes()
    btf = reader(data)
    assert btf.type(2) == Unknown(2, "future", kind)
    assert btf.kind(2) is Kind.UNKNOWN
    assert btf.ref(2) == 0
    assert btf.type(3) == Ptr(3, 1)
    assert btf.find("s", Kind.STRUCT) == 4
    check(btf)
    if isinstance(btf, KernelBtf):
        again = KernelBtf.from_index(data, btf.index_bytes())
        assert again.find("s", Kind.STRUCT) == 4
        assert again.kind(2) is Kind.UNKNOWN


def test_unknown_kinds_are_dumped() -> None:
    btf = Btf(with_unknown().bytes())
    assert "[2] UNKNOWN 'future'\n" in raw_dump(btf)
    assert definition(btf, 4) in header_dump(btf)
    assert "future" not in header_dump(btf)
    types = FlatTypes(btf)
    assert types.kind(2) == LATEST + 1
    assert types.references(2) == []


def test_split_btf_has_the_layout_of_its_base() -> None:
    base = Btf(with_unknown().bytes())
    split = BtfBuilder(base=base)
    split._add(LATEST + 1, "more", third=1, vlen=1, payload=(1, 2, 3))
    last = split.add_ptr(2)
    btf = Btf(split.bytes(), base=base)
    assert btf.type(5) == Unknown(5, "more", LATEST + 1)
    assert btf.type(last) == Ptr(last, 2)
    assert not btf.own_layout
    assert BtfEditor(btf.raw, base=base).bytes() == btf.raw


def test_split_btf_may_have_its_own() -> None:
    base = Btf(every_kind().bytes())
    split = BtfBuilder(base=base)
    split._add(LATEST + 2, "more", vlen=3, payload=(1, 2, 3))
    split._layout = layout_of({LATEST + 2: (0, 4)})
    btf = Btf(split.bytes(), base=base)
    assert btf.type(len(base)) == Unknown(len(base), "more", LATEST + 2)
    assert BtfEditor(btf.raw, base=base).bytes() == btf.raw


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (b"", "kind 20 is unknown, and there is no layout section"),
        (layout_of({}), "kind 20 is unknown, and the layout section tells .* to 19"),
        (layout_of({20: (4, 7)}), "kind 20 has a layout of odd bytes"),
        (layout_of({20: (4, 8)})[:-2], "layout section ends inside a kind"),
    ],
)
@pytest.mark.parametrize("reader", [Btf, KernelBtf])
def test_what_cannot_be_skipped(reader: type[Btf], layout: bytes, text: str) -> None:
    builder = with_unknown(kind=20)
    builder._layout = layout
    with pytest.raises(BtfParseError, match=text):
        reader(builder.bytes())


def test_the_layout_says_nothing_about_known_kinds() -> None:
    """As in libbpf, where the reader's own knowledge goes first."""
    builder = every_kind()
    plain = Btf(builder.bytes())
    builder._layout = bytes((8, 8, 0, 0)) * 20
    btf = Btf(builder.bytes())
    assert [btf.type(n) for n in btf.ids()] == [plain.type(n) for n in plain.ids()]


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_edited_btf_keeps_its_layout(byteorder: str) -> None:
    editor = BtfEditor(with_unknown(byteorder).bytes())
    editor.set_name(4, "renamed")
    added = editor.add_typedef("t", 2)
    btf = Btf(editor.bytes())
    assert btf.own_layout == layout_of({LATEST + 1: (4, 8)})
    assert btf.type(2) == Unknown(2, "future", LATEST + 1)
    assert btf.name(4) == "renamed"
    assert btf.ref(added) == 2
    with pytest.raises(ValueError, match="do not fit"):
        BtfEditor(btf.raw).set_payload(2, (1,))


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_the_layout_is_left_out(byteorder: str) -> None:
    builder = every_kind(byteorder)
    plain = builder.bytes()
    assert plain[4:8] in {b"\x18\0\0\0", b"\0\0\0\x18"}
    assert without_layout(plain) == plain
    builder._layout = layout_of({})
    data = builder.bytes()
    assert data[4:8] in {b"\x20\0\0\0", b"\0\0\0\x20"}
    assert without_layout(data) == plain
    order = "<" if byteorder == "little" else ">"
    header = bytearray(data[:32] + bytes(16))
    struct.pack_into(f"{order}I", header, 4, 48)
    assert without_layout(bytes(header) + data[32:]) == plain


# -- info ------------------------------------------------------------------------------

MANY = 0x12345
"""More than 16 bits."""


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_more_elements_than_16_bits_count(byteorder: str) -> None:
    builder = BtfBuilder(byteorder)
    int_id = builder.add_int("int", 4)
    enum = builder.add_enum("e", [(f"E{n}", n) for n in range(MANY)])
    struct_id = builder.add_struct(
        "s", 4 * MANY, [(f"m{n}", int_id, 32 * n) for n in range(MANY)]
    )
    last = builder.add_ptr(struct_id)
    btf = Btf(builder.bytes())
    found, whole = btf.type(enum), btf.type(struct_id)
    assert isinstance(found, Enum)
    assert isinstance(whole, Struct)
    assert (len(found.values), found.values[-1].name) == (MANY, f"E{MANY - 1}")
    assert (len(whole.members), whole.members[-1].name) == (MANY, f"m{MANY - 1}")
    assert btf.type(last) == Ptr(last, struct_id)
    types = FlatTypes(btf)
    assert types.vlen(enum) == MANY
    assert types.references(struct_id) == [int_id] * MANY
    assert f"vlen={MANY}\n" in raw_dump(btf)
    editor = BtfEditor(btf.raw)
    editor.set_kind(struct_id, Kind.UNION, vlen=MANY)
    assert Btf(editor.bytes()).kind(struct_id) is Kind.UNION
    assert Btf(editor.bytes()).type(last) == Ptr(last, struct_id)


def test_bits_of_info() -> None:
    """No bit is unused: BTF of before has zeros where the fields grew."""
    builder = BtfBuilder()
    builder.add_func("f", 0, MAX_VLEN)
    builder._add(MAX_KIND, "x", vlen=MAX_VLEN, kflag=True)
    words = Btf(with_unknown().bytes()).words
    assert words[5] == (LATEST + 1) << 24 | 2
    first, second = struct.unpack_from("=4xI8xI", builder.bytes(), 24)
    assert first == 12 << 24 | 0xFFFFFF
    assert second == 0xFFFFFFFF
    with pytest.raises(ValueError, match="too many"):
        builder.add_func("f", 0, MAX_VLEN + 1)
