"""BTF edited in place: numbers and string offsets stay what they were."""

from typing import TYPE_CHECKING

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.edit import BtfEditor
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import Kind
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.btf.types import (
    Const,
    Datasec,
    Func,
    FuncProto,
    Int,
    Param,
    Ptr,
    Struct,
    Var,
    VarSecinfo,
)
from tests.harness.btf import btf_of, every_kind
from tests.harness.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable

BYTEORDERS = ("little", "big")


def test_unchanged_is_the_same(bpf_source: Source) -> None:
    _, btf = btf_of(bpf_source)
    assert BtfEditor(btf.raw).bytes() == btf.raw


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_changes_are_made_and_all_else_stays(byteorder: str) -> None:
    before = Btf(every_kind(byteorder).bytes())
    editor = BtfEditor(before.raw)
    editor.set_size(28, 64)
    editor.set_size(7, 40)
    editor.set_datasec_var(28, 0, offset=8, size=40)
    editor.set_datasec_var(28, 1, type_id=26, offset=4)
    editor.set_linkage(26, 0)
    editor.set_linkage(23, 2)
    editor.set_name(5, "")
    editor.set_name(9, "renamed")
    editor.set_type(5, 1)
    editor.set_param_name(21, 1, "more")
    after = Btf(editor.bytes())
    assert after.byteorder == byteorder
    assert after.type(28) == Datasec(
        28, ".data.x", 64, (VarSecinfo(26, 8, 40), VarSecinfo(26, 4, 4))
    )
    struct = before.type(7)
    assert isinstance(struct, Struct)
    assert after.type(7) == struct._replace(size=40)
    assert after.type(26) == Var(26, "v", 17, 0)
    assert after.type(23) == Func(23, "f", 21, 2)
    assert after.type(5) == Ptr(5, 1)
    assert after.type(9) == Struct(9, "renamed", 0, ())
    assert after.type(21) == FuncProto(21, 1, (Param("first", 5), Param("more", 0)))
    changed = {5, 7, 9, 21, 23, 26, 28}
    for type_id in before.ids():
        if type_id not in changed:
            assert after.type(type_id) == before.type(type_id)
    assert after.string_bytes.startswith(before.string_bytes)


def test_sections_are_put_in_order() -> None:
    editor = BtfEditor(every_kind().bytes())
    editor.set_datasec_var(28, 0, offset=100)
    editor.reorder_datasec_vars(28)
    btf = Btf(editor.bytes())
    assert [(var.name, var.offset) for var in section_vars(btf, 28)] == [
        ("static_v", 32),
        ("v", 100),
    ]
    editor.reorder_datasec_vars(28, (1, 0))
    names = [var.name for var in section_vars(Btf(editor.bytes()), 28)]
    assert names == ["v", "static_v"]
    for order in ((0,), (0, 0), (0, 1, 2), (1, 2)):
        with pytest.raises(ValueError, match="not each variable once"):
            editor.reorder_datasec_vars(28, order)
    with pytest.raises(ValueError, match="type 1 is a INT, no DATASEC"):
        editor.reorder_datasec_vars(1)


def test_types_are_appended() -> None:
    before = Btf(every_kind().bytes())
    editor = BtfEditor(before.raw)
    assert editor.next_id == len(before)
    number = editor.add_int("int", 8)
    var = editor.add_var("dummy_ksym", number)
    editor.set_linkage(var, 2)
    editor.set_datasec_var(28, 1, type_id=var)
    after = Btf(editor.bytes())
    assert (number, var) == (36, 37)
    assert after.type(number) == Int(number, "int", 8, False, False, False, 64)
    assert after.type(var) == Var(var, "dummy_ksym", number, 2)
    assert section_vars(after, 28)[1].name == "dummy_ksym"
    # "int" was there, only one string is new
    assert after.string_size == before.string_size + len("dummy_ksym") + 1
    again = BtfEditor(editor.bytes())
    assert again.bytes() == editor.bytes()


def test_kinds_are_replaced_for_old_kernels() -> None:
    """What libbpf does where a kernel does not know a kind."""
    editor = BtfEditor(every_kind().bytes())
    editor.set_kind(26, Kind.INT)
    editor.set_third(26, 1)
    editor.set_payload(26, (8,))
    editor.set_kind(28, Kind.STRUCT, vlen=2)
    editor.set_name(28, "_data_x")
    editor.set_kind(33, Kind.CONST)
    editor.set_name(33, "")
    editor.set_kind(21, Kind.ENUM, vlen=2)
    editor.set_kind(34, Kind.UNION, vlen=3)
    editor.set_payload(34, (0, 1, 0) * 3)
    btf = Btf(editor.bytes())
    assert btf.type(26) == Int(26, "v", 1, False, False, False, 8)
    assert btf.type(33) == Const(33, 7)
    assert btf.kind(21) is Kind.ENUM
    struct = btf.type(28)
    assert isinstance(struct, Struct)
    assert struct.name == "_data_x"
    assert [member.bit_offset for member in struct.members] == [32, 4]
    with pytest.raises(ValueError, match="differ in length"):
        editor.set_kind(1, Kind.PTR)
    with pytest.raises(ValueError, match="too many"):
        editor.set_kind(7, Kind.STRUCT, vlen=1 << 24)
    with pytest.raises(ValueError, match="1 words do not fit"):
        editor.set_payload(34, (1,))


def test_changes_that_a_type_does_not_allow_are_refused() -> None:
    editor = BtfEditor(every_kind().bytes())
    before = editor.bytes()
    changes: tuple[tuple[Callable[[], None], str], ...] = (
        (lambda: editor.set_size(5, 8), "type 5 is a PTR, which states no size"),
        (lambda: editor.set_type(7, 1), "type 7 is a STRUCT, which has no such type"),
        (lambda: editor.set_type(6, 1), "type 6 is a ARRAY"),
        (lambda: editor.set_linkage(1, 0), "type 1 is a INT, linkage 0"),
        (lambda: editor.set_linkage(23, 1 << 24), "linkage 16777216"),
        (lambda: editor.set_datasec_var(28, 2, offset=0), "no element 2 of 2"),
        (lambda: editor.set_datasec_var(7, 0, offset=0), "is a STRUCT, no DATASEC"),
        (lambda: editor.set_param_name(21, -1, "x"), "no element -1"),
        (lambda: editor.set_size(0, 8), "no type 0 to edit"),
        (lambda: editor.set_size(36, 8), "no type 36 to edit"),
        (lambda: editor.set_size(7, 1 << 32), "does not fit 32 bits"),
    )
    for change, text in changes:
        with pytest.raises(ValueError, match=text):
            change()
    assert editor.bytes() == before


def test_a_header_that_is_too_new_is_not_edited() -> None:
    data = every_kind().bytes()
    longer = bytearray(data[:24] + bytes(8) + b"news" + data[24:])
    longer[4:8] = (36).to_bytes(4, "little")
    assert Btf(longer).header_extra
    with pytest.raises(BtfParseError, match="too new to be edited"):
        BtfEditor(longer)


def test_the_layout_section_is_kept() -> None:
    builder = every_kind()
    builder._layout = bytes(80)
    editor = BtfEditor(builder.bytes())
    assert editor.bytes() == builder.bytes()
    editor.add_ptr(1)
    assert Btf(editor.bytes()).layout == bytes(80)


def test_split_btf_is_edited_by_its_numbers() -> None:
    base = Btf(every_kind().bytes())
    builder = BtfBuilder(base=base)
    first = builder.add_struct("m", 4)
    editor = BtfEditor(builder.bytes(), base=base)
    editor.set_size(first, 12)
    editor.add_var("v2", first)
    after = Btf(editor.bytes(), base=base)
    assert after.type(first) == Struct(first, "m", 12, ())
    assert after.find("v2", Kind.VAR) == first + 1
    with pytest.raises(ValueError, match="no type 7 to edit"):
        editor.set_size(7, 4)
