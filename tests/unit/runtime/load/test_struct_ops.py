"""struct_ops variables, as a kernel made here wants them."""

import errno
import struct
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.index import KernelBtf
from skelgen.model.attach import StructOps
from skelgen.model.enums import MapType, ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import ObjectSpec, ProgramSpec, StructOpsSpec
from skelgen.runtime.errors import BpfError, BpfOSError, NotSupportedError, StateError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.specs import RETURN_0

Members = Iterable[tuple[str, str]]


def add_members(b: BtfBuilder, members: Members) -> list[tuple[str, int, int]]:
    """Add members of kinds ``fn``, ``u32``, ``u64``, ``bits``; 8 bytes each."""
    types = {
        "fn": b.add_ptr(b.add_func_proto(0)),
        "u32": b.add_int("u32", 4),
        "u64": b.add_int("u64", 8),
        "ptr": b.add_ptr(0),
    }
    return [(name, types[kind], 64 * at) for at, (name, kind) in enumerate(members)]


def kernel_with(members: Members, *, wrapper: str = "bpf_struct_ops_ops") -> KernelBtf:
    b = BtfBuilder(sys.byteorder)
    listed = add_members(b, members)
    inner = b.add_struct("ops", 8 * len(listed), listed)
    state = b.add_int("state", 4)
    b.add_struct(
        wrapper, 64 + 8 * len(listed), [("common", state, 0), ("data", inner, 512)]
    )
    return KernelBtf(b.bytes())


KERNEL = (("name", "u64"), ("start", "fn"), ("stop", "fn"), ("flags", "u32"))
OURS = (("start", "fn"), ("flags", "u32"), ("stop", "fn"))


def opened(
    members: Members = OURS,
    functions: tuple[tuple[str, str], ...] = (("start", "go"), ("stop", "end")),
    *,
    value: bytes = bytes(8) + struct.pack("=Q", 7) + bytes(8),
    link: bool = False,
    twice: bool = False,
) -> Object:
    b = BtfBuilder(sys.byteorder)
    listed = add_members(b, members)
    type_id = b.add_struct("ops___mine", 8 * len(listed), listed)
    image = ImageBuilder()
    insns = image.add(RETURN_0)
    spec = StructOpsSpec(
        "mine", ".struct_ops", type_id, "ops___mine", image.add(value), functions, link
    )
    programs = tuple(
        ProgramSpec(name, "struct_ops", ProgType.STRUCT_OPS, StructOps(), insns)
        for name in ("go", "end")
    )
    ops = (
        (spec, spec._replace(name="other", functions=functions[::-1]))
        if twice
        else (spec,)
    )
    return Object(
        ObjectSpec(
            "x", "x.bpf.o", sys.byteorder, "GPL", struct_ops=ops, programs=programs,
            btf=image.add(b.bytes()), image=image.bytes(),
        )
    )  # fmt: skip


@pytest.fixture
def vmlinux(monkeypatch: pytest.MonkeyPatch) -> KernelBtf:
    btf = kernel_with(KERNEL)
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: btf)
    return btf


def test_struct_ops_are_loaded_registered_and_deleted(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    values: list[bytes] = []
    kernel.always("MAP_UPDATE_ELEM", lambda c: values.append(c.memory("value", 96)))
    with opened() as obj:
        obj.load()
        (create,) = kernel.named("MAP_CREATE")
        assert create.attr.map_type == MapType.STRUCT_OPS
        assert create.attr.value_size == 64 + 32  # the kernel's struct
        assert create.attr.btf_vmlinux_value_type_id == vmlinux.find(
            "bpf_struct_ops_ops"
        )
        assert create.attr.btf_fd  # BTF of the object, for the key
        go, end = kernel.named("PROG_LOAD")
        for load, member in ((go, 1), (end, 2)):
            assert load.attr.attach_btf_id == vmlinux.find("ops")
            assert load.attr.expected_attach_type == member
        assert not values
        report = obj.attach()
        fds = [obj.programs[name].fd() for name in ("go", "end")]
        assert values == [struct.pack("=64xQQQI4x", 0, *fds, 7)]
        assert list(report.attached) == ["mine"]
        named = "it is attached through the struct_ops variable that names it"
        assert report.passed_over == {"go": named, "end": named}
        assert report
        again = obj.attach()
        assert again
        assert not again.attached
        obj.detach()
        assert len(kernel.named("MAP_DELETE_ELEM")) == 1
    assert not kernel.open


def test_with_a_link_they_can_be_attached_again(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    kernel.then("MAP_UPDATE_ELEM", None, -errno.EBUSY)
    with opened(link=True) as obj:
        obj.load()
        assert kernel.named("MAP_CREATE")[0].attr.map_flags == 1 << 13
        obj.attach()
        obj.detach()
        obj.attach()  # the value is there already
        assert len(kernel.named("LINK_CREATE")) == 2
    assert not kernel.open


def test_a_link_puts_one_in_place_of_another(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    with opened(link=True, twice=True) as obj:
        mine, other = obj.struct_ops["mine"], obj.struct_ops["other"]
        obj.load()
        link = mine.attach()
        kernel.then("MAP_UPDATE_ELEM", None, -errno.EBUSY)
        link.update_map(other)
        link.update_map(mine, old=other)
        updates = kernel.named("LINK_UPDATE")
        assert [
            u.values("link_fd", "new_map_fd", "flags", "old_map_fd") for u in updates
        ] == [
            [link.fd(), other.fd(), 0, 0],
            [link.fd(), mine.fd(), 4, other.fd()],
        ]
        link.destroy()
    with opened(twice=True) as obj:
        obj.load()
        registration = obj.struct_ops["mine"].attach()
        with pytest.raises(NotSupportedError, match="destroy it and attach the other"):
            registration.update_map(obj.struct_ops["other"])
        registration.destroy()
    assert not kernel.open


def test_a_refused_registration_leaves_no_link(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    with opened() as obj:
        obj.load()
        kernel.then("MAP_UPDATE_ELEM", -errno.EEXIST)
        with pytest.raises(BpfOSError, match=r"struct_ops 'mine'.*EEXIST"):
            obj.attach()
        assert obj.links == {}


def test_members_that_the_kernel_does_not_have_have_to_be_zero(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        kernel_btf, "_vmlinux", lambda: kernel_with((("start", "fn"), ("stop", "fn")))
    )
    with (
        opened() as obj,
        pytest.raises(BpfError, match="this kernel has no member 'flags'"),
    ):
        obj.load()
    with opened(value=bytes(24)) as obj:  # zero stands for nothing
        obj.load()
    with opened() as obj:
        obj.struct_ops["mine"].write(bytes(8), offset=8)
        obj.load()
    monkeypatch.setattr(
        kernel_btf, "_vmlinux", lambda: kernel_with((("start", "fn"), ("flags", "u32")))
    )
    with opened() as obj:
        with pytest.raises(BpfError, match="'stop'; set it to None before load"):
            obj.load()
        kernel.calls.clear()
        obj.struct_ops["mine"].set_program("stop", None)
        obj.load()
        assert len(kernel.named("PROG_LOAD")) == 1
        assert not obj.programs["end"].loaded
        assert not obj.programs["end"].autoload


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((("start", "fn"), ("stop", "u64"), ("flags", "u32")), "'stop' is of another kind"),
        ((("start", "ptr"), ("stop", "fn"), ("flags", "u32")), "'start' is no function"),
        ((("start", "fn"), ("stop", "fn"), ("flags", "u64")), "'flags' has 4 bytes, in this kernel 8"),
    ],
)  # fmt: skip
def test_members_of_another_type_are_refused(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, members: Members, message: str
) -> None:
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: kernel_with(members))
    with opened() as obj, pytest.raises(BpfError, match=message):
        obj.load()
    assert not kernel.open


def test_operations_that_the_kernel_does_not_have_are_refused(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.always("BTF_GET_NEXT_ID", -errno.ENOENT)
    monkeypatch.setattr(
        kernel_btf, "_vmlinux", lambda: kernel_with(KERNEL, wrapper="other")
    )
    with (
        opened() as obj,
        pytest.raises(NotSupportedError, match="no operations of type 'struct ops'"),
    ):
        obj.load()


def test_a_program_of_two_operations_is_refused(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    with opened(twice=True) as obj:
        obj.load()  # both variables, each function in its place
        assert len(kernel.named("PROG_LOAD")) == 2
    with opened(twice=True) as obj:
        obj.struct_ops["other"].set_program("start", obj.programs["end"])
        with pytest.raises(
            BpfError, match="'end' is used for two different operations"
        ):
            obj.load()
    assert not kernel.open


def test_programs_of_another_type_are_refused(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    with opened() as obj:
        obj.programs["go"].type = ProgType.XDP
        with pytest.raises(BpfError, match="'go' is no struct_ops program"):
            obj.load()
    assert not kernel.open


def test_members_that_are_no_functions_take_no_program(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    for member, message in (
        ("strat", "struct_ops 'mine': no member 'strat' to set a program to"),
        ("flags", "struct_ops 'mine': member 'flags' is no function"),
    ):
        with opened() as obj:
            obj.struct_ops["mine"].set_program(member, obj.programs["go"])
            with pytest.raises(BpfError, match=message):
                obj.load()
    assert not kernel.open


def test_what_cannot_be_set_is_refused(kernel: FakeKernel, vmlinux: KernelBtf) -> None:
    assert vmlinux
    with opened() as obj, opened() as other:
        ops = obj.struct_ops["mine"]
        wrong: Any = "go"
        with pytest.raises(
            TypeError, match=r"'start' must be a program .* got str 'go'"
        ):
            ops.set_program("start", wrong)
        with pytest.raises(ValueError, match="a program of the same object"):
            ops.set_program("start", other.programs["go"])
        with pytest.raises(IndexError, match=r"bytes 20\.\.28 of 24"):
            ops.write(bytes(8), offset=20)
        with pytest.raises(IndexError, match=r"bytes 8\.\.4 of 24"):
            ops.read(8, -4)
        assert dict(ops.functions) == {"start": "go", "stop": "end"}
        obj.load()
        for setting in (
            lambda: ops.set_program("start", None),
            lambda: ops.write(b"x"),
        ):
            with pytest.raises(StateError, match="'mine': read-only; assign before"):
                setting()
        assert ops.program("start") is obj.programs["go"]
        assert ops.read(8, 4) == struct.pack("=I", 7)
    assert not kernel.open


def test_another_program_and_value_go_to_the_kernel(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    values: list[bytes] = []
    kernel.always("MAP_UPDATE_ELEM", lambda c: values.append(c.memory("value", 96)))
    with opened(functions=(("start", "go"),)) as obj:
        ops = obj.struct_ops["mine"]
        ops.write(struct.pack("=I", 9), offset=8)
        ops.set_program("start", None)
        ops.set_program("stop", obj.programs["end"])
        obj.load()
        (load,) = kernel.named("PROG_LOAD")
        assert load.attr.expected_attach_type == 2
        obj.attach()
        assert values == [struct.pack("=64xQQQI4x", 0, 0, obj.programs["end"].fd(), 9)]
        assert not obj.programs["go"].autoload  # as libbpf leaves it
        assert obj.maps["mine"] is ops
    assert not kernel.open


def test_what_is_switched_off_is_left_out_and_reported(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    with opened() as obj:
        obj.struct_ops["mine"].autocreate = False
        obj.load()
        assert not kernel.named("PROG_LOAD")
        report = obj.attach()
        assert report
        assert report.passed_over["mine"] == "its autocreate is off"
    with opened(functions=(("start", "go"),)) as obj:
        with pytest.raises(StateError, match="'end': no struct_ops variable uses it"):
            obj.load()
        obj.programs["end"].autoload = False
        obj.load()
        assert len(kernel.named("PROG_LOAD")) == 1
        obj.struct_ops["mine"].autoattach = False
        assert obj.attach().passed_over["mine"] == "its autoattach is off"
    with opened() as obj, pytest.raises(StateError, match="load"):
        obj.struct_ops["mine"].attach()


def test_btf_is_needed(kernel: FakeKernel, vmlinux: KernelBtf) -> None:
    assert vmlinux

    def refuse(call: Call) -> int:
        if call.attr.btf_log_level:
            call.fill("btf_log_buf", b"bad type\n\0")
        return -errno.EINVAL

    kernel.always("BTF_LOAD", refuse)
    with opened() as obj, pytest.raises(BpfOSError) as caught:
        obj.load()
    assert caught.value.command == "BPF_BTF_LOAD"
    assert "the kernel says: bad type" in caught.value.__notes__
    assert not kernel.open
