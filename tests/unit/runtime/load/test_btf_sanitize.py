"""BTF in words that older kernels know."""

import errno
import sys
from collections.abc import Iterator

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.edit import BtfEditor
from skelgen.btf.parse import Btf
from skelgen.btf.types import Const, Enum, Fwd, Int, Kind, Struct, Typedef, Union
from skelgen.btf.verify import check
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.features import Feature
from skelgen.runtime.load.btf import load_btf
from skelgen.runtime.load.btf_sanitize import sanitize
from tests.harness import masked_kernel
from tests.harness.btf import layout_of
from tests.harness.fake_kernel import Call, FakeKernel

BTF_FEATURES = (
    features.BTF_FUNC,
    features.BTF_GLOBAL_FUNC,
    features.BTF_DATASEC,
    features.BTF_FLOAT,
    features.BTF_DECL_TAG,
    features.BTF_TYPE_TAG,
    features.BTF_ENUM64,
    features.BTF_QMARK_DATASEC,
)


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    for feature in BTF_FEATURES:
        feature.assume(True)
    yield
    for feature in BTF_FEATURES:
        feature.forget()


class Made:
    """BTF with something of everything."""

    def __init__(self, byteorder: str = sys.byteorder) -> None:
        b = BtfBuilder(byteorder)
        self.int = b.add_int("int", 4, signed=True)
        self.var = b.add_var("counter", self.int)
        self.section = b.add_datasec(".bss.x", 8, [(self.var, 4, 4)])
        self.optional = b.add_datasec("?.struct_ops", 4, [(self.var, 0, 4)])
        self.proto = b.add_func_proto(self.int, [("a", self.int), ("b", self.int)])
        self.func = b.add_func("main", self.proto)
        self.float = b.add_float("double", 8)
        self.decl_tag = b.add_decl_tag("tag", self.func, 1)
        self.type_tag = b.add_type_tag("rcu", self.int)
        self.enum = b.add_enum("e", [("A", -1)])
        self.enum64 = b.add_enum64("big", [("B", 1 << 40), ("C", -2)])
        self.user = b.add_struct(
            "user", 16, [("d", self.float, 0), ("b", self.enum64, 64)]
        )
        self.data = b.bytes()


def sanitized(
    *missing: Feature, byteorder: str = sys.byteorder
) -> tuple[Made, Btf, bool]:
    for feature in missing:
        feature.assume(False)
    made = Made(byteorder)
    clean = sanitize(made.data)
    assert clean is not None
    btf = Btf(clean.data)
    check(btf)
    before = Btf(made.data)
    for type_id in before.ids():  # all that is not missing is as it was
        assert len(btf) >= len(before)
        if btf.kind(type_id) is before.kind(type_id) and type_id not in {
            made.func, made.section, made.optional, made.enum,
        }:  # fmt: skip
            assert btf.type(type_id) == before.type(type_id)
    return made, btf, clean.functions


def test_where_nothing_is_missing_nothing_changes() -> None:
    assert sanitize(Made().data) is None


def test_what_cannot_be_told_is_there() -> None:
    for feature in BTF_FEATURES:
        feature.assume(None)
    assert sanitize(Made().data) is None


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_without_sections_they_become_structs(byteorder: str) -> None:
    made, btf, _ = sanitized(features.BTF_DATASEC, byteorder=byteorder)
    var = btf.type(made.var)
    assert isinstance(var, Int)
    assert (var.name, var.size, var.bits) == ("counter", 1, 8)
    section = btf.type(made.section)
    assert isinstance(section, Struct)
    assert (section.name, section.size) == ("_bss_x", 8)
    assert [(m.name, m.type_id, m.bit_offset) for m in section.members] == [
        ("counter", made.var, 32)
    ]
    assert btf.name(made.optional) == "__struct_ops"


def test_without_optional_sections_names_lose_the_question_mark() -> None:
    made, btf, _ = sanitized(features.BTF_QMARK_DATASEC)
    assert btf.kind(made.optional) is Kind.DATASEC
    assert btf.name(made.optional) == "_.struct_ops"
    assert btf.name(made.section) == ".bss.x"


def test_without_functions_they_become_typedefs() -> None:
    made, btf, functions = sanitized(features.BTF_FUNC)
    assert not functions
    proto = btf.type(made.proto)
    assert isinstance(proto, Enum)
    assert (proto.size, [value.name for value in proto.values]) == (4, ["a", "b"])
    func = btf.type(made.func)
    assert isinstance(func, Typedef)
    assert func.type_id == made.proto


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_names_are_good_where_they_go(byteorder: str) -> None:
    """Linux 5.0 checks them, and 4.19 of distributions; all BTF is refused for one."""
    b = BtfBuilder(byteorder)
    integer = b.add_int("int", 4)
    proto = b.add_func_proto(0, [("a", integer), ("", integer), ("", 0)])
    b.add_func("main.part", proto, 0)
    static = b.add_var("count.last", integer, 0)
    section = b.add_datasec(".data.x-y", 4, [(static, 0, 4)])
    b.add_enum64("e", [("A", 1)])
    untouched = b.add_struct("s", 4, [("m", integer, 0)])
    for feature in BTF_FEATURES:
        feature.assume(False)
    clean = sanitize(b.bytes())
    assert clean is not None
    btf = Btf(clean.data)
    check(btf)
    assert [i for i in btf.ids() if masked_kernel.wrong_name(btf, i)] == []
    enum, struct = btf.type(proto), btf.type(section)
    assert isinstance(enum, Enum)
    assert [value.name for value in enum.values] == ["a", "unnamed", "unnamed"]
    assert isinstance(struct, Struct)
    assert (struct.name, struct.members[0].name) == ("_data_x_y", "count_last")
    assert btf.type(untouched) == Btf(b.bytes()).type(untouched)


def test_the_model_of_the_kernel_sees_wrong_names() -> None:
    b = BtfBuilder()
    integer = b.add_int("long int", 8)
    wrong = {
        b.add_enum("e", [("", 1)]),
        b.add_struct("a.b", 8, [("m", integer, 0)]),
        b.add_struct("s", 8, [("m.n", integer, 0)]),
        b.add_typedef("", integer),
        b.add_func("f::g", b.add_func_proto(0)),
    }
    b.add_struct("", 8, [("", integer, 0)])
    b.add_func_proto(0, [("", integer)])
    btf = Btf(b.bytes())
    assert {i for i in btf.ids() if masked_kernel.wrong_name(btf, i)} == wrong


def test_without_global_functions_they_become_static() -> None:
    made, btf, functions = sanitized(features.BTF_GLOBAL_FUNC)
    assert functions
    assert btf.kind(made.func) is Kind.FUNC
    assert btf.type(made.func).linkage == 0  # type: ignore[union-attr]  # a Func
    assert btf.ref(made.func) == made.proto


def test_without_floats_they_become_structs() -> None:
    made, btf, _ = sanitized(features.BTF_FLOAT)
    assert btf.type(made.float) == Struct(made.float, "", 8, ())


def test_without_tags_they_become_integers_and_const() -> None:
    made, btf, _ = sanitized(features.BTF_DECL_TAG, features.BTF_TYPE_TAG)
    tag = btf.type(made.decl_tag)
    assert isinstance(tag, Int)
    assert (tag.name, tag.size) == ("tag", 1)
    assert btf.type(made.type_tag) == Const(made.type_tag, made.int)


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_without_large_enumerators_they_become_unions(byteorder: str) -> None:
    made, btf, _ = sanitized(features.BTF_ENUM64, byteorder=byteorder)
    enum = btf.type(made.enum)
    assert isinstance(enum, Enum)
    assert not enum.signed
    big = btf.type(made.enum64)
    assert isinstance(big, Union)
    assert (big.name, big.size) == ("big", 8)
    assert [m.name for m in big.members] == ["B", "C"]
    placeholder = len(Btf(made.data))
    assert {m.type_id for m in big.members} == {placeholder}
    added = btf.type(placeholder)
    assert isinstance(added, Int)
    assert (added.name, added.size) == ("enum64_placeholder", 1)
    assert btf.name(made.user) == "user"


def test_the_oldest_kernel_gets_nothing_but_the_oldest_kinds() -> None:
    made, btf, functions = sanitized(*BTF_FEATURES)
    assert not functions
    oldest = set(range(Kind.INT, Kind.FUNC))
    assert all(btf.kind(type_id) in oldest for type_id in btf.ids())
    assert made.data != btf.raw
    assert not isinstance(btf.type(made.user), Fwd)


def test_the_layout_section_is_left_out(kernel: FakeKernel) -> None:
    """A kernel before 7.1 gets BTF with the header of old, else as it was."""
    plain = Made()
    builder = BtfEditor(plain.data)
    builder._layout = layout_of({})
    data = builder.bytes()
    assert len(data) == len(plain.data) + 8 + len(layout_of({}))
    given: list[bytes] = []

    def older(call: Call) -> int | None:
        given.append(call.memory("btf", call.attr["btf_size"]))
        return -errno.E2BIG if given[-1][4] == 32 else None

    kernel.always("BTF_LOAD", older)
    assert load_btf(data, "BTF", required=True).fd
    assert (given[0], given[-1]) == (data, plain.data)  # trials between


def test_the_layout_section_is_left_out_of_what_is_changed(kernel: FakeKernel) -> None:
    features.BTF_FLOAT.assume(False)
    plain = Made()
    builder = BtfEditor(plain.data)
    builder._layout = layout_of({})
    builder.set_name(plain.user, "a user")
    given: list[bytes] = []

    def older(call: Call) -> int | None:
        given.append(call.memory("btf", call.attr["btf_size"]))
        return -errno.E2BIG if given[-1][4] == 32 else None

    kernel.always("BTF_LOAD", older)
    assert load_btf(builder.bytes(), "BTF", required=True).fd
    last = given[-1]
    btf = Btf(last)
    check(btf)
    assert last[4] == 24
    assert not btf.layout
    assert btf.name(plain.user) == "a_user"
    assert isinstance(btf.type(plain.float), Struct)


def test_a_kernel_that_knows_the_layout_gets_it(kernel: FakeKernel) -> None:
    builder = BtfEditor(Made().data)
    builder._layout = layout_of({})
    given: list[bytes] = []

    def newer(call: Call) -> None:
        given.append(call.memory("btf", call.attr["btf_size"]))

    kernel.always("BTF_LOAD", newer)
    assert load_btf(memoryview(builder.bytes()), "BTF", required=True).fd
    assert given == [builder.bytes()]
