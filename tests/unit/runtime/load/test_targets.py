"""Targets of programs are found in BTF of the kernel and of programs."""

import ctypes
import errno
import struct
import sys

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.index import KernelBtf
from skelgen.model.attach import Tracing, TracingMulti, Usdt
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.spec import ObjectSpec
from skelgen.runtime.errors import AttachError, NotSupportedError, StateError
from skelgen.runtime.kernel import features, symbols
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.one_program import one_program


def tracing(
    target: str | None,
    attach_type: int,
    kind: int = ProgType.TRACING,
    module: str | None = None,
) -> ObjectSpec:
    return one_program(
        kind=kind, attach=Tracing(target, module), attach_type=attach_type
    )


@pytest.mark.parametrize(
    ("target", "attach_type", "name"),
    [
        ("exec", AttachType.TRACE_RAW_TP, "btf_trace_exec"),
        ("do_something", AttachType.TRACE_FENTRY, "do_something"),
        ("open", AttachType.LSM_MAC, "bpf_lsm_open"),
        ("open", AttachType.LSM_CGROUP, "bpf_lsm_open"),
        ("task", AttachType.TRACE_ITER, "bpf_iter_task"),
    ],
)
def test_targets_are_found_in_the_btf_of_the_kernel(
    kernel: FakeKernel, vmlinux: KernelBtf, target: str, attach_type: int, name: str
) -> None:
    with Object(tracing(target, attach_type)) as obj:
        obj.load()
    (load,) = kernel.named("PROG_LOAD")
    assert load.attr.attach_btf_id == vmlinux.find(name)
    assert load.attr.attach_btf_obj_fd == 0
    assert load.attr.expected_attach_type == attach_type


@pytest.mark.parametrize(
    ("attach_type", "module", "message"),
    [
        (AttachType.TRACE_RAW_TP, None, "no tracepoint 'x' in this kernel or its modules .BTF has no 'btf_trace_x'"),
        (AttachType.LSM_MAC, None, "no LSM hook 'x'"),
        (AttachType.TRACE_ITER, None, "no iterator 'x'"),
        (AttachType.TRACE_FENTRY, None, "no kernel function 'x'"),
        (AttachType.TRACE_FENTRY, "veth", "no kernel function 'x' in module 'veth'"),
    ],
)  # fmt: skip
def test_missing_targets_are_an_error(
    kernel: FakeKernel,
    vmlinux: KernelBtf,
    attach_type: int,
    module: str | None,
    message: str,
) -> None:
    assert vmlinux
    kernel.always("BTF_GET_NEXT_ID", -errno.ENOENT)
    with Object(tracing("x", attach_type, module=module)) as obj:
        with pytest.raises(AttachError, match=message) as caught:
            obj.load()
        assert caught.value.program == "prog"


@pytest.mark.parametrize(
    ("target", "attach_type", "note"),
    [
        ("exek", AttachType.TRACE_RAW_TP, "did you mean 'exec'?"),
        ("opem", AttachType.LSM_MAC, "did you mean 'open'?"),
        ("taks", AttachType.TRACE_ITER, "did you mean 'task'?"),
        ("do_somethin", AttachType.TRACE_FENTRY, "did you mean 'do_something'?"),
        ("in_kallsyms", AttachType.TRACE_FENTRY, "the kernel has a function of that"),
    ],
)
def test_a_missing_target_has_a_note_that_helps(
    kernel: FakeKernel,
    vmlinux: KernelBtf,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    attach_type: int,
    note: str,
) -> None:
    assert vmlinux
    monkeypatch.setattr(symbols, "functions", lambda: iter([b"in_kallsyms"]))
    kernel.always("BTF_GET_NEXT_ID", -errno.ENOENT)
    with Object(tracing(target, attach_type)) as obj:
        with pytest.raises(AttachError) as caught:
            obj.load()
        (found,) = caught.value.__notes__
        assert found.startswith(note)


@pytest.mark.parametrize(
    ("attach_type", "log", "message"),
    [
        (
            AttachType.TRACE_FSESSION,
            "processed 0 insns (limit 1)\n",
            "fsession (Linux 7.0",
        ),
        (AttachType.TRACE_FSESSION, "", "fsession (Linux 7.0"),
        (
            AttachType.TRACE_FENTRY_MULTI,
            "Tracing programs must provide btf_id\nprocessed 0 insns\n",
            "fentry.multi (Linux 7.2",
        ),
    ],
)
def test_an_attach_type_that_the_kernel_has_not_is_told_with_its_kernel(
    kernel: FakeKernel, vmlinux: KernelBtf, attach_type: int, log: str, message: str
) -> None:
    assert vmlinux

    def load(call: Call) -> int | None:
        if call.attr.expected_attach_type != attach_type:
            return None
        text = log.encode() + b"\0"
        if call.attr.log_size >= len(text):
            call.fill("log_buf", text)
        return -errno.EINVAL

    kernel.always("PROG_LOAD", load)
    with Object(tracing("do_something", attach_type)) as obj:
        with pytest.raises(NotSupportedError) as caught:
            obj.load()
        assert str(caught.value) == (
            f"program 'prog': BPF_PROG_LOAD: this kernel has no {message} has it)"
        )
        assert caught.value.errno == errno.EINVAL


def test_a_target_that_nobody_named_has_to_be_set(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    with Object(tracing(None, AttachType.TRACE_FENTRY)) as obj:
        with pytest.raises(
            StateError, match=r"names no target; call set_attach_target"
        ):
            obj.load()
        obj.programs["prog"].set_attach_target("do_something")
        obj.load()
    assert kernel.named("PROG_LOAD")[0].attr.attach_btf_id == vmlinux.find(
        "do_something"
    )


def test_a_target_is_found_in_another_program(kernel: FakeKernel) -> None:
    b = BtfBuilder(sys.byteorder)
    b.add_int("int", 4)
    number = b.add_func("main", b.add_func_proto(1))
    data = b.bytes()

    def program(call: Call) -> int:
        ctypes.memmove(call.attr.info + 128, struct.pack("=I", 77), 4)  # btf_id
        return 0

    def btf_size(call: Call) -> int:
        ctypes.memmove(call.attr.info + 8, struct.pack("=I", len(data)), 4)
        return 0

    def btf(call: Call) -> int:
        address = int.from_bytes(ctypes.string_at(call.attr.info, 8), sys.byteorder)
        ctypes.memmove(address, data, len(data))
        return 0

    spec = tracing(None, 0, ProgType.EXT)
    with Object(spec) as obj:
        obj.programs["prog"].set_attach_target("main")
        with pytest.raises(StateError, match="which program it replaces 'main' in"):
            obj.load()
        obj.programs["prog"].set_attach_target("main", program=555)
        kernel.then("OBJ_GET_INFO_BY_FD", program, btf_size, btf)
        obj.load()
        (load,) = kernel.named("PROG_LOAD")
        assert load.values("attach_btf_id", "attach_prog_fd") == [number, 555]
    with Object(spec) as obj:
        obj.programs["prog"].set_attach_target("other", program=555)
        kernel.then("OBJ_GET_INFO_BY_FD", program, btf_size, btf)
        with pytest.raises(AttachError, match="has no function 'other'"):
            obj.load()
        with pytest.raises(AttachError, match="the program it attaches to has no BTF"):
            obj.load()
    assert not kernel.open


def test_a_pattern_of_targets_has_no_type_number(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    kernel.always("BTF_GET_NEXT_ID", -errno.ENOENT)
    spec = one_program(kind=ProgType.TRACING, attach=TracingMulti("do_*"))
    with Object(spec) as obj:
        obj.load()
    assert kernel.named("PROG_LOAD")[0].attr.attach_btf_id == 0
    spec = one_program(kind=ProgType.TRACING, attach=TracingMulti("do_*", "veth"))
    with Object(spec) as obj, pytest.raises(AttachError, match="no module 'veth'"):
        obj.load()


def test_usdt_uses_the_newer_link(kernel: FakeKernel) -> None:
    for known, attach_type in ((False, 0), (True, AttachType.TRACE_UPROBE_MULTI)):
        features.UPROBE_MULTI_LINK.assume(known)
        with Object(one_program(kind=ProgType.KPROBE, attach=Usdt())) as obj:
            obj.load()
        assert kernel.named("PROG_LOAD")[-1].attr.expected_attach_type == attach_type
