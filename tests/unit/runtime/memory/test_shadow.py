"""Shadows: struct_ops variables of a generated skeleton, before and after load."""

import copy
import itertools
import struct
import sys
from types import ModuleType
from typing import Any

import pytest

import skelgen
from skelgen import runtime as rt
from skelgen.btf.build import BtfBuilder
from skelgen.btf.index import KernelBtf
from skelgen.btf.kinds import Kind
from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import StateError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel.btf import KernelTypes, ModuleBtf
from tests.harness import sources
from tests.harness.fake_kernel import FIRST_FD, FakeKernel
from tests.harness.generating import loaded

F_LINK, F_BTF_FD = 1 << 13, 1 << 15
VALUE = struct.Struct("=64x16sQQQ16xIi HH4s I b?2x I4x QQ")
"""The kernel's value as :func:`add_operations` makes it."""


@pytest.fixture(scope="module")
def module() -> ModuleType:
    path = sources.compiled(sources.find("struct_ops_shadow"), sys.byteorder)
    return loaded(skelgen.generate(path))


@pytest.fixture
def skel(module: ModuleType) -> Any:
    with module.StructOpsShadow.open() as skeleton:
        yield skeleton


def add_operations(b: BtfBuilder) -> int:
    """Add what a kernel with these operations has: its members in another order."""
    function = b.add_ptr(b.add_func_proto(0))
    pointer = b.add_ptr(0)
    u8, u32, u64 = (b.add_int(f"u{8 * n}", n) for n in (1, 4, 8))
    s8, index = b.add_int("s8", 1, signed=True), b.add_int("index", 4)
    text, table = b.add_array(u8, index, 16), b.add_array(u64, index, 2)
    enabled = b.add_int("bool", 1, bool=True)
    limits = b.add_struct("limits", 8, [])
    either = b.add_union("", 4, [("word", u32, 0)])
    places = [
        ("name", text, 0), ("yield", function, 16), ("start", function, 24),
        ("attach", function, 32), ("private", pointer, 40), ("label", pointer, 48),
        ("flags", u32, 56), ("mode", b.add_enum("mode", [("MODE_FAST", 3)]), 60),
        ("limits", limits, 64), ("", either, 72), ("bias", s8, 76),
        ("enabled", enabled, 77), ("from_buffer", u32, 80), ("table", table, 88),
    ]  # fmt: skip
    members = [(name, type_id, 8 * offset) for name, type_id, offset in places]
    inner = b.add_struct("skelgen_ops", 104, members)
    b.add_struct(
        "bpf_struct_ops_skelgen_ops", 168, [("common", u64, 0), ("data", inner, 512)]
    )
    return inner


@pytest.fixture
def vmlinux(monkeypatch: pytest.MonkeyPatch) -> KernelBtf:
    b = BtfBuilder(sys.byteorder)
    add_operations(b)
    btf = KernelBtf(b.bytes())
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: btf)
    return btf


def given(kernel: FakeKernel) -> list[tuple[Any, ...]]:
    """Return the values of struct_ops maps, filled as the kernel gets them."""
    values: list[tuple[Any, ...]] = []
    kernel.always(
        "MAP_UPDATE_ELEM", lambda c: values.append(VALUE.unpack(c.memory("value", 168)))
    )
    return values


def test_members_are_as_the_file_has_them(skel: Any) -> None:
    plain = skel.struct_ops.plain
    assert plain.start is skel.progs.on_start
    assert plain.yield_ is None
    assert plain.attach is None
    assert (plain.name, plain.flags, plain.bias) == (b"plain", 5, -3)
    assert (plain.enabled, plain.mode) == (False, 3)
    assert (plain.limits.low, plain.limits.high) == (1, 2)
    assert list(plain.limits.steps) == [3, 4, 5, 6]
    assert plain.word == 7
    assert plain.octets[:] == list((7).to_bytes(4, sys.byteorder))
    assert list(plain.table) == [8, 9]
    linked = skel.struct_ops.linked
    assert (linked.start, linked.yield_) == (skel.progs.on_start, skel.progs.on_yield)
    assert skel.struct_ops.optional.start is None
    # pointers to data have no attribute, as in bpftool's shadow types
    assert not hasattr(plain, "private")
    assert not hasattr(plain, "label")
    assert repr(plain).startswith(
        "StructOpsShadowSkelgenOps(start=<StructOpsProgram 'on_start'"
    )


def test_what_does_not_fit_is_refused(skel: Any, module: ModuleType) -> None:
    plain = skel.struct_ops.plain
    with pytest.raises(OverflowError, match=r"SkelgenOps\.flags must be int in 0\.\."):
        plain.flags = -1
    with pytest.raises(TypeError, match="mode must be int"):
        plain.mode = "fast"
    with pytest.raises(ValueError, match="at most 16 bytes"):
        plain.name = bytes(17)
    with pytest.raises(AttributeError, match="has no member 'falgs'"):
        plain.falgs = 1
    with pytest.raises(
        TypeError, match=r"'start' must be .* got XdpProgram program 'o"
    ):
        plain.start = skel.progs.other
    with pytest.raises(TypeError, match=r"'start' must be .* got int 5"):
        plain.start = 5
    with (
        module.StructOpsShadow.open() as other,
        pytest.raises(ValueError, match="a program of the same object"),
    ):
        plain.start = other.progs.on_start
    with pytest.raises(TypeError, match=r"made by its skeleton: skel\.struct_ops"):
        module.StructOpsShadowSkelgenOps()
    with pytest.raises(TypeError, match="belongs to an object"):
        copy.copy(plain)
    assert (plain.flags, plain.mode, plain.name) == (5, 3, b"plain")
    assert plain.start is skel.progs.on_start


def test_what_is_set_goes_to_the_kernel(
    kernel: FakeKernel, vmlinux: KernelBtf, skel: Any
) -> None:
    values = given(kernel)
    plain = skel.struct_ops.plain
    plain.start, plain.attach = None, None
    plain.yield_ = skel.progs.on_yield
    plain.name, plain.flags, plain.bias, plain.enabled = b"renamed", 6, 100, True
    plain.mode, plain.word, plain.from_buffer_ = 9, 0x01020304, 11
    plain.limits.low = 40
    plain.limits.steps[3] = 99
    plain.table[:] = [10, 1 << 63]
    skel.load()
    skel.attach()
    fds = {name: skel.object.programs[name].fd() for name in ("on_start", "on_yield")}
    assert values == [
        (b"renamed".ljust(16, b"\0"), fds["on_yield"], 0, 0, 6, 9, 40, 2,
         b"\3\4\5\x63", 0x01020304, 100, True, 11, 10, 1 << 63),
        (bytes(16), fds["on_yield"], fds["on_start"], 0, 0, 0, 0, 0,
         bytes(4), 0, 0, False, 0, 0, 0),
    ]  # fmt: skip
    # two of the four variables, and the programs that these two use
    created = [
        c for c in kernel.named("MAP_CREATE") if c.attr.map_type == MapType.STRUCT_OPS
    ]
    assert [c.attr.map_flags for c in created] == [0, F_LINK]
    inner = vmlinux.find("skelgen_ops", Kind.STRUCT)
    loads = [c for c in kernel.named("PROG_LOAD") if c.attr.attach_btf_id == inner]
    assert [c.attr.expected_attach_type for c in loads] == [2, 1]
    autoload = {name: p.autoload for name, p in skel.object.programs.items()}
    assert autoload == {
        "on_start": True,
        "on_start_too": False,  # of a variable that is not created
        "on_yield": True,  # a SEC("?...") that a variable asks for
        "other": True,
    }
    assert skel.links.plain is not None
    assert skel.links.optional is None


def test_after_load_it_can_be_read_alone(
    kernel: FakeKernel, vmlinux: KernelBtf, skel: Any
) -> None:
    assert vmlinux
    plain = skel.struct_ops.plain
    limits, steps = plain.limits, plain.limits.steps
    skel.load()

    def set_element() -> None:
        steps[0] = 1

    message = "struct_ops 'plain': read-only; assign before load"
    for name, value in (
        ("flags", 1), ("name", b"x"), ("start", None), ("word", 1),
        ("limits", copy.copy(limits)), ("yield_", skel.progs.on_yield),
    ):  # fmt: skip
        with pytest.raises(StateError, match=message):
            setattr(plain, name, value)
    with pytest.raises(StateError, match=message):
        limits.low = 3
    with pytest.raises(StateError, match=message):
        set_element()
    with pytest.raises(StateError, match=message):
        plain.table[:] = [1, 2]
    with pytest.raises(StateError, match="'optional': read-only"):
        skel.struct_ops.optional.flags = 1
    for _ in range(2):
        assert (plain.flags, plain.name, limits.low, steps[0]) == (5, b"plain", 1, 3)
        assert plain.start is skel.progs.on_start
        skel.destroy()  # its memory stays
    with pytest.raises(StateError):
        plain.flags = 1
    assert not kernel.open


@pytest.mark.parametrize(
    "names",
    list(itertools.combinations(("plain", "linked", "optional", "optional_linked"), 2)),
)
def test_only_those_that_are_on_are_created_and_attached(
    kernel: FakeKernel, vmlinux: KernelBtf, skel: Any, names: tuple[str, ...]
) -> None:
    assert vmlinux
    for name in ("plain", "linked", "optional", "optional_linked"):
        getattr(skel.maps, name).autocreate = name in names
    skel.load()
    created = [
        c for c in kernel.named("MAP_CREATE") if c.attr.map_type == MapType.STRUCT_OPS
    ]
    assert len(created) == 2
    skel.attach()
    made = {n for n in skel.links.__slots__ if getattr(skel.links, n) is not None}
    assert made == set(names)
    functions = {
        "plain": {"on_start"},
        "linked": {"on_start", "on_yield"},
        "optional": set(),
        "optional_linked": {"on_start_too"},
    }
    wanted = set().union(*(functions[name] for name in names))
    programs = skel.object.programs
    assert {name for name in programs if programs[name].loaded} == wanted | {"other"}
    with pytest.raises(StateError, match="autocreate cannot change after load"):
        skel.maps.plain.autocreate = True


def test_maps_are_attached_by_hand_where_autoattach_is_off(
    kernel: FakeKernel, vmlinux: KernelBtf, skel: Any
) -> None:
    assert vmlinux
    assert isinstance(skel.maps.linked, rt.StructOpsMap)
    assert skel.object.maps["linked"] is skel.maps.linked
    skel.maps.linked.autoattach = False
    skel.maps.plain.autoattach = False
    with pytest.raises(StateError, match="made by load"):
        skel.maps.linked.attach()
    skel.load()
    skel.attach()
    assert skel.links.linked is None
    skel.links.linked = skel.maps.linked.attach()
    assert len(kernel.named("LINK_CREATE")) == 1
    with pytest.raises(StateError, match="'optional': not made, its autocreate is off"):
        skel.maps.optional.attach()


def test_operations_of_a_module_refer_to_its_btf(
    kernel: FakeKernel, skel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Types that vmlinux does not have: programs and map refer to the module's BTF."""
    base = BtfBuilder(sys.byteorder)
    base.add_int("long", 8)
    vmlinux = KernelBtf(base.bytes())
    split = BtfBuilder(sys.byteorder, base=vmlinux)
    inner = add_operations(split)
    fd = syscalls.Fd(FIRST_FD)
    kernel.open.add(FIRST_FD)
    module = ModuleBtf(9, "skelgen_test", fd, vmlinux)
    module._raw = split.bytes()
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: vmlinux)
    monkeypatch.setattr(kernel_btf, "_module_btf", {})
    monkeypatch.setattr(KernelTypes, "modules", lambda _self: [module])
    number = fd.fileno()
    skel.load()
    create = next(
        c for c in kernel.named("MAP_CREATE") if c.attr.map_type == MapType.STRUCT_OPS
    )
    assert create.attr.map_flags & F_BTF_FD
    assert create.attr.value_type_btf_obj_fd == number
    assert create.attr.btf_vmlinux_value_type_id == inner + 1
    load = kernel.named("PROG_LOAD")[0]
    assert load.attr.attach_btf_id == inner
    assert load.attr.attach_btf_obj_fd == number
    fd.close()


def test_the_class_is_checked_against_the_variable(skel: Any) -> None:
    class Wrong(rt.Shadow, size=0):
        pass

    with pytest.raises(TypeError, match="'plain': 104 bytes, but Wrong has 0"):
        skel.maps.plain.shadow(Wrong)


def test_big_endian_classes_have_the_same_members(module: ModuleType) -> None:
    other = "big" if sys.byteorder == "little" else "little"
    path = sources.compiled(sources.find("struct_ops_shadow"), other)
    theirs = loaded(skelgen.generate(path)).StructOpsShadowSkelgenOps
    ours = module.StructOpsShadowSkelgenOps
    assert theirs.__members__.keys() == ours.__members__.keys()
    offsets = [
        {
            name: getattr(cls, name).offset
            for name in ("start", "name", "flags", "table")
        }
        for cls in (ours, theirs)
    ]
    assert offsets[0] == offsets[1]
