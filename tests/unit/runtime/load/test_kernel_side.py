"""What programs are loaded with: relocations, targets, kernel types, retries, logs."""

import ctypes
import errno
import hashlib
import struct
import sys
from pathlib import Path

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.spec import ReloKind
from skelgen.btf.index import KernelBtf
from skelgen.btf.types import Kind
from skelgen.model.attach import Attach, Manual, Tracing, TracingMulti, Usdt
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import (
    ExternKind,
    ExternLoad,
    ExternSpec,
    JumpTable,
    KfuncCall,
    MapFd,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    Reloc,
)
from skelgen.runtime.errors import (
    AttachError,
    BpfError,
    BpfOSError,
    CoreRelocationError,
    KernelBtfError,
    NotSupportedError,
    StateError,
    VerifierError,
)
from skelgen.runtime.insns.core_patch import POISON
from skelgen.runtime.insns.relocate import POISON_KFUNC, POISON_MAP
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel import features, memlock, symbols
from skelgen.runtime.load import explain
from skelgen.runtime.load import program as prog_load
from skelgen.runtime.object.object import Object
from skelgen.runtime.process.once import Once
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.specs import RETURN_0, insn, ldimm64


@pytest.fixture
def vmlinux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> KernelBtf:
    """Return kernel types made here, in place of the running kernel's."""
    b = BtfBuilder(sys.byteorder)
    int_id = b.add_int("int", 4, signed=True)
    proto = b.add_func_proto(int_id)
    for name in ("do_something", "bpf_lsm_open", "bpf_iter_task", "kfunc"):
        b.add_func(name, proto)
    b.add_typedef("btf_trace_exec", b.add_ptr(proto))
    b.add_struct("task", 16, [("pid", int_id, 64)])
    btf = KernelBtf(b.bytes())
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: btf)
    monkeypatch.setattr(kernel_btf, "_module_btf", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return btf


def one_program(
    insns: bytes = RETURN_0,
    *,
    relocs: tuple[Reloc, ...] = (),
    attach: Attach = Manual(),  # noqa: B008 - immutable
    kind: int = ProgType.SOCKET_FILTER,
    attach_type: int = 0,
    optional: bool = False,
    core: bytes = b"",
    btf: bytes = b"",
    lines: bytes = b"",
    maps: tuple[MapSpec, ...] = (),
    externs: tuple[ExternSpec, ...] = (),
    autoload: bool = True,
    section: str = "some",
) -> ObjectSpec:
    image = ImageBuilder()
    program = ProgramSpec(
        "prog",
        section,
        kind,
        attach,
        insns=image.add(insns),
        relocs=relocs,
        attach_type=attach_type,
        attach_type_optional=optional,
        core_relos=image.add(core) if core else None,
        line_info=image.add(lines) if lines else None,
        func_info=image.add(bytes(8)) if lines else None,
        autoload=autoload,
    )
    return ObjectSpec(
        "one",
        "one.bpf.o",
        sys.byteorder,
        "GPL",
        maps=maps,
        programs=(program,),
        externs=externs,
        btf=image.add(btf) if btf else None,
        image=image.bytes(),
    )


def loaded_insns(kernel: FakeKernel, spec: ObjectSpec) -> list[tuple[int, ...]]:
    """Load an object and return the instructions that the kernel saw."""
    seen: list[bytes] = []

    def load(call: Call) -> None:
        seen.append(call.memory("insns", call.attr.insn_cnt * 8))

    kernel.always("PROG_LOAD", load)
    with Object(spec) as obj:
        obj.load()
    return [
        (code, regs & 15, regs >> 4, off, imm)
        for code, regs, off, imm in struct.iter_unpack("<BBhi", seen[-1])
    ]


# -- relocations -------------------------------------------------------------------


HASH = MapSpec("m", MapType.HASH, 4, 4, 1)


def test_a_map_that_was_not_made(kernel: FakeKernel) -> None:
    spec = one_program(
        ldimm64(1) + RETURN_0,
        relocs=(MapFd(0, "m"),),
        maps=(HASH, HASH._replace(name="n")),
    )
    seen: list[bytes] = []
    kernel.always("PROG_LOAD", lambda c: seen.append(c.memory("insns", 32)))
    with Object(spec) as obj:
        obj.maps["m"].autocreate = False
        obj.load()
    call = struct.pack("<BBhi", 0x85, 0, 0, POISON_MAP)
    assert seen[0][:16] == call * 2


def kfunc(*, weak: bool = False, name: str = "kfunc") -> ExternSpec:
    return ExternSpec(name, ExternKind.KFUNC, weak, 3)


def kfunc_btf() -> bytes:
    b = BtfBuilder(sys.byteorder)
    int_id = b.add_int("int", 4, signed=True)
    b.add_func("kfunc", b.add_func_proto(int_id), 2)
    b.add_func("none", 2, 2)
    return b.bytes()


CALL = insn(0x85, 0, 1, 0, -1)


def test_a_kernel_function(kernel: FakeKernel, vmlinux: KernelBtf) -> None:
    number = vmlinux.find("kfunc", Kind.FUNC)
    spec = one_program(
        CALL + ldimm64(1) + RETURN_0,
        relocs=(KfuncCall(0, "kfunc"), KfuncCall(1, "kfunc")),
        externs=(kfunc(),),
        btf=kfunc_btf(),
    )
    insns = loaded_insns(kernel, spec)
    assert insns[0] == (0x85, 0, 2, 0, number)
    assert insns[1] == (0x18, 1, 3, 0, number)
    assert insns[2] == (0, 0, 0, 0, 0)


def test_a_missing_weak_kernel_function(kernel: FakeKernel, vmlinux: KernelBtf) -> None:
    assert vmlinux
    spec = one_program(
        CALL + ldimm64(1) + RETURN_0,
        relocs=(KfuncCall(0, "none"), KfuncCall(1, "none")),
        externs=(kfunc(), kfunc(weak=True, name="none")),
        btf=kfunc_btf(),
    )
    insns = loaded_insns(kernel, spec)
    assert insns[0] == (0x85, 0, 0, 0, POISON_KFUNC + 1)
    assert insns[1:3] == [(0x18, 1, 0, 0, 0), (0, 0, 0, 0, 0)]


def test_an_address(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    from skelgen.runtime.load import externs

    monkeypatch.setattr(
        externs, "_addresses", lambda _: {"jiffies": 0xFFFFFFFF82000000}
    )
    spec = one_program(
        ldimm64(1) + RETURN_0,
        relocs=(ExternLoad(0, "jiffies"),),
        externs=(ExternSpec("jiffies", ExternKind.KSYM),),
    )
    insns = loaded_insns(kernel, spec)
    assert insns[:2] == [(0x18, 1, 0, 0, -0x7E000000), (0, 0, 0, 0, -1)]


def test_relocations_of_other_instructions(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    for relocs, message in (
        ((MapFd(0, "m"),), "instruction 0 is no 64-bit load"),
        ((KfuncCall(0, "kfunc"),), "instruction 0 is no call"),
    ):
        spec = one_program(
            relocs=relocs, maps=(HASH,), externs=(kfunc(),), btf=kfunc_btf()
        )
        with Object(spec) as obj, pytest.raises(BpfError, match=message):
            obj.load()
    assert not kernel.open


def test_jump_tables(kernel: FakeKernel) -> None:
    values: list[bytes] = []
    kernel.always(
        "MAP_UPDATE_ELEM",
        lambda c: values.append(c.memory("key", 4) + c.memory("value", 16)),
    )
    spec = one_program(
        ldimm64(1) + ldimm64(2) + RETURN_0,
        relocs=(JumpTable(0, (4, 5)), JumpTable(2, (4, 5))),
    )
    insns = loaded_insns(kernel, spec)
    (create,) = kernel.named("MAP_CREATE")
    assert create.values("map_type", "key_size", "value_size", "max_entries") == [
        34,
        4,
        16,
        2,
    ]
    assert [struct.unpack("=IIIQ", value)[:2] for value in values] == [(0, 4), (1, 5)]
    assert kernel.names() == [
        "MAP_CREATE", "MAP_UPDATE_ELEM", "MAP_UPDATE_ELEM", "MAP_FREEZE", "PROG_LOAD",
    ]  # fmt: skip
    assert insns[0][2] == insns[2][2] == 2
    assert insns[0][4] == insns[2][4] > 0
    assert not kernel.open


def test_no_jump_tables(kernel: FakeKernel) -> None:
    kernel.always("MAP_CREATE", -errno.EINVAL)
    spec = one_program(ldimm64(1) + RETURN_0, relocs=(JumpTable(0, (2,)),))
    with Object(spec) as obj, pytest.raises(NotSupportedError, match=r"6\.19 has it"):
        obj.load()


# -- targets in BTF ----------------------------------------------------------------


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
def test_targets(
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
def test_missing_targets(
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
def test_a_missing_target_may_be_another(
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
def test_an_attach_type_that_the_kernel_has_not(
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


def test_a_target_that_nobody_named(kernel: FakeKernel, vmlinux: KernelBtf) -> None:
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


def test_a_target_in_another_program(kernel: FakeKernel) -> None:
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


def test_many_targets(kernel: FakeKernel, vmlinux: KernelBtf) -> None:
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


def test_a_type_that_nobody_knows(kernel: FakeKernel) -> None:
    with Object(one_program(kind=ProgType.UNSPEC)) as obj:
        with pytest.raises(
            StateError, match=r"does not tell its type; .* set program\.type"
        ):
            obj.load()
        obj.programs["prog"].type = ProgType.XDP
        obj.load()
    assert kernel.named("PROG_LOAD")[0].attr.prog_type == ProgType.XDP


@pytest.mark.parametrize(
    ("section", "known"),
    [
        ("xdp/pass", "xdp"),
        ("?xdp_prog", "xdp"),
        ("cgroup/skb/in", "cgroup/skb"),
        ("tc-filter", "tc"),
        ("xdpfoo", None),
        ("mine", None),
    ],
)
def test_a_section_with_more_than_it_may_have(section: str, known: str | None) -> None:
    spec = one_program(kind=ProgType.UNSPEC, section=section)
    with Object(spec) as obj, pytest.raises(StateError, match="its type") as caught:
        obj.load()
    notes = getattr(caught.value, "__notes__", [])
    wanted = [f'SEC("{known}") would; no more may follow it'] if known else []
    assert notes == wanted


def test_the_other_byte_order(kernel: FakeKernel) -> None:
    other = "big" if sys.byteorder == "little" else "little"
    with (
        Object(one_program()._replace(byteorder=other)) as obj,
        pytest.raises(
            BpfError, match=f"object 'one': compiled for {other}-endian machines"
        ),
    ):
        obj.load()
    assert not kernel.calls


# -- CO-RE -------------------------------------------------------------------------


def local_task(*fields: str, name: str = "task") -> bytes:
    b = BtfBuilder(sys.byteorder)
    int_id = b.add_int("int", 4, signed=True)
    b.add_struct(name, 8, [(field, int_id, 32 * n) for n, field in enumerate(fields)])
    b.add_string("0:0")
    b.add_string("0:9")
    return b.bytes()


def relo(
    btf: bytes, kind: int = ReloKind.FIELD_BYTE_OFFSET, access: str = "0:0", at: int = 0
) -> bytes:
    from skelgen.btf.header import Header

    header = Header(btf)
    strings = btf[slice(*header.strings)]
    offset = strings.index(b"\0" + access.encode() + b"\0") + 1
    return struct.pack("=4I", at, 2, offset, kind)


LDX = insn(0x61, 0, 1, 0)


def test_core(kernel: FakeKernel, vmlinux: KernelBtf) -> None:
    assert vmlinux
    btf = local_task("pid")
    spec = one_program(LDX + RETURN_0, core=relo(btf), btf=btf)
    assert loaded_insns(kernel, spec)[0] == (0x61, 0, 1, 8, 0)
    kernel.calls.clear()
    other = BtfBuilder(sys.byteorder)
    other.add_struct("task", 64, [("pid", other.add_int("int", 4, signed=True), 256)])
    with Object(spec, btf=other.bytes()) as obj:
        seen: list[int] = []
        kernel.always("PROG_LOAD", lambda c: seen.append(c.memory("insns", 8)[2]))
        obj.load()
    assert seen == [32]


def test_core_of_a_program_that_is_not_loaded(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    btf = local_task("pid")
    broken = relo(btf, access="0:9")
    spec = one_program(LDX + RETURN_0, core=broken, btf=btf, autoload=False)
    with Object(spec) as obj:
        obj.load()
    assert not kernel.named("PROG_LOAD")


def test_a_relocation_that_makes_no_sense(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    btf = local_task("pid")
    for core, message in (
        (
            relo(btf, access="0:9"),
            r"prog insn 0: type \[2\] 0:9: type 'task' has no member",
        ),
        (relo(btf, at=7), r"prog insn 7: task.pid: program has no instruction 7"),
    ):
        spec = one_program(LDX + RETURN_0, core=core, btf=btf)
        with (
            Object(spec) as obj,
            pytest.raises(CoreRelocationError, match=message) as caught,
        ):
            obj.load()
        assert caught.value.program == "prog"
    assert not kernel.open


def test_core_without_btf(kernel: FakeKernel) -> None:
    spec = one_program(LDX + RETURN_0, core=bytes(16))
    with Object(spec) as obj, pytest.raises(BpfError, match="the object has no BTF"):
        obj.load()
    assert not kernel.calls


@pytest.fixture
def no_vmlinux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away every place that the kernel's types could be read from."""
    monkeypatch.setattr(kernel_btf, "_vmlinux", Once(kernel_btf._read_vmlinux))
    monkeypatch.setattr(kernel_btf, "VMLINUX", "/nowhere/vmlinux")
    monkeypatch.setattr(kernel_btf, "_ELF_PATHS", ())


def test_a_kernel_without_btf(kernel: FakeKernel, no_vmlinux: None) -> None:
    """What has no CO-RE relocations is loaded, with BTF of its own or without."""
    with Object(one_program(LDX + RETURN_0)) as obj:
        obj.load()
    own = one_program(LDX + RETURN_0, maps=(HASH,), btf=local_task("pid"))
    with Object(own) as obj:
        obj.load()
    assert len(kernel.named("BTF_LOAD")) == 1
    assert len(kernel.named("PROG_LOAD")) == 2


def test_core_on_a_kernel_without_btf(kernel: FakeKernel, no_vmlinux: None) -> None:
    btf = local_task("pid")
    spec = one_program(LDX + RETURN_0, core=relo(btf), btf=btf)
    with Object(spec) as obj, pytest.raises(KernelBtfError) as caught:
        obj.load()
    assert "CONFIG_DEBUG_INFO_BTF" in str(caught.value)
    (note,) = caught.value.__notes__
    assert note.startswith("program 'prog' has CO-RE relocations")
    assert "open(btf=...)" in note
    assert "skelgen btf min" in note
    assert not kernel.open
    # given in a file, nothing else asks for the kernel's types
    with Object(spec, btf=btf) as obj:
        obj.load()
    assert len(kernel.named("PROG_LOAD")) == 1


def write_log(call: Call, text: str) -> None:
    if call.attr.log_level:
        data = text.encode() + b"\0"
        call.fill("log_buf", data)


def refuse(text: str, error: int = errno.EINVAL) -> object:
    def answer(call: Call) -> int:
        write_log(call, text)
        return -error

    return answer


def test_a_field_that_the_kernel_does_not_have(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    btf = local_task("tgid")
    spec = one_program(LDX + RETURN_0, core=relo(btf), btf=btf)
    assert loaded_insns(kernel, spec)[0] == (0x85, 0, 0, 0, POISON)
    log = f"0: (85) call unknown#{POISON}\ninvalid func unknown#{POISON}\nprocessed 1 insns\n"
    kernel.always("PROG_LOAD", refuse(log))  # type: ignore[arg-type]  # an answer
    with Object(spec) as obj, pytest.raises(CoreRelocationError) as caught:
        obj.load()
    assert str(caught.value) == "prog insn 0: task.tgid not in kernel BTF"
    assert (caught.value.insn, caught.value.access) == (0, "task.tgid")
    cause = caught.value.__cause__
    assert isinstance(cause, VerifierError)
    assert cause.log == log
    assert "task.tgid is not in kernel BTF" in str(cause)
    with (
        Object(spec, btf=local_task("x")) as obj,
        pytest.raises(CoreRelocationError, match=r"task.tgid not in the BTF file"),
    ):
        obj.load()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (POISON_MAP, "map 'm' is used, and was not made"),
        (POISON_KFUNC, "kernel function 'kfunc' is called, and this kernel does not"),
        (POISON, "a CO-RE relocation has no answer"),
    ],
)
def test_markers_in_a_log(
    kernel: FakeKernel, vmlinux: KernelBtf, number: int, text: str
) -> None:
    assert vmlinux
    log = f"0: (85) call unknown#{number}\ninvalid func unknown#{number}\n"
    kernel.always("PROG_LOAD", refuse(log))  # type: ignore[arg-type]  # an answer
    spec = one_program(maps=(HASH,), externs=(kfunc(weak=True),), btf=kfunc_btf())
    with Object(spec) as obj, pytest.raises(VerifierError, match=text):
        obj.load()


# -- refusals ----------------------------------------------------------------------


def test_the_log_is_asked_for_after_a_failure(kernel: FakeKernel) -> None:
    kernel.always("PROG_LOAD", refuse("0: (95) exit\nR0 !read_ok\n", errno.EACCES))  # type: ignore[arg-type]  # an answer
    with Object(one_program()) as obj, pytest.raises(VerifierError) as caught:
        obj.load()
    first, *_, last = kernel.named("PROG_LOAD")
    assert first.values("log_level", "log_buf", "log_size") == [0, 0, 0]
    assert last.values("log_level", "log_size") == [1, 16 << 20]
    assert str(caught.value) == (
        "program 'prog': refused by the verifier: permission denied (EACCES)\n"
        "  instruction 0: exit\n"
        "      r0 is not written on this path\n"
        "  the verifier:\n"
        "      R0 !read_ok\n"
        "  why: the program or function ends without a return value\n"
        "  hint: return a value on every path"
    )
    assert caught.value.log == "0: (95) exit\nR0 !read_ok\n"


def test_the_buffer_grows(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prog_load, "_FIRST_LOG", 4096)
    sizes: list[int] = []

    def answer(call: Call) -> int:
        if not call.attr.log_level:
            return -errno.EINVAL
        sizes.append(call.attr.log_size)
        write_log(call, "the end\n")
        return -errno.ENOSPC if len(sizes) < 4 else -errno.EINVAL

    kernel.always("PROG_LOAD", answer)
    features.PROBE_READ_KERNEL.assume(True)
    features.PROG_NAME.assume(True)
    with Object(one_program()) as obj, pytest.raises(VerifierError, match="the end"):
        obj.load()
    assert sizes == [4096, 8192, 16384, 32768]


def test_the_buffer_stops_growing(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prog_load, "_FIRST_LOG", 4096)
    monkeypatch.setattr(prog_load, "_MAX_LOG", 8192)
    kernel.always("PROG_LOAD", refuse("more", errno.ENOSPC))  # type: ignore[arg-type]  # an answer
    with Object(one_program()) as obj, pytest.raises(VerifierError, match="ENOSPC"):
        obj.load()


def test_a_kernel_that_says_how_long_the_log_is(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux 6.4 writes it to the attr, as far as it is shown that far."""
    monkeypatch.setattr(prog_load, "_FIRST_LOG", 4096)
    sizes: list[int] = []

    def answer(call: Call) -> int:
        if not call.attr.log_level:
            return -errno.EINVAL
        sizes.append(call.attr.log_size)
        write_log(call, "the end\n")
        assert len(call.attr) >= 144
        call.answer("log_true_size", 1_000_001)
        return -errno.EINVAL if call.attr.log_size >= 1_000_001 else -errno.ENOSPC

    kernel.always("PROG_LOAD", answer)
    features.PROBE_READ_KERNEL.assume(True)
    features.PROG_NAME.assume(True)
    with Object(one_program()) as obj, pytest.raises(VerifierError, match="the end"):
        obj.load()
    assert sizes == [4096, 1_000_001]


def test_statistics_do_not_say_why(kernel: FakeKernel) -> None:
    def answer(call: Call) -> int:
        why = call.attr.log_level & 3
        write_log(call, "R0 !read_ok\n" if why else "processed 1 insns\n")
        return -errno.EACCES

    kernel.always("PROG_LOAD", answer)
    with (
        Object(one_program(), log_level=4) as obj,
        pytest.raises(VerifierError, match="R0 !read_ok"),
    ):
        obj.load()
    levels = [call.attr.log_level for call in kernel.named("PROG_LOAD")]
    assert [level for level in levels if level] == [4, 5]  # 0: probes


def test_a_fault_in_the_explanation_hides_nothing(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(explain, "_facts", broken)
    kernel.always("PROG_LOAD", refuse("0: (95) exit\nR0 !read_ok\n", errno.EACCES))  # type: ignore[arg-type]  # an answer
    with Object(one_program()) as obj, pytest.raises(VerifierError) as caught:
        obj.load()
    assert "R0 !read_ok" in str(caught.value)
    assert caught.value.log == "0: (95) exit\nR0 !read_ok\n"


@pytest.mark.parametrize("count", [4_000, 5_000])
def test_a_program_that_is_too_long(kernel: FakeKernel, count: int) -> None:
    kernel.always("PROG_LOAD", -errno.E2BIG)
    with (
        Object(one_program(RETURN_0[:8] * count)) as obj,
        pytest.raises(BpfOSError) as caught,
    ):
        obj.load()
    notes = "\n".join(getattr(caught.value, "__notes__", ()))
    assert ("it has 5,000 instructions; the kernel takes 1,000,000" in notes) == (
        count == 5_000
    )


def test_a_log_from_the_first_try(kernel: FakeKernel) -> None:
    kernel.always("PROG_LOAD", lambda call: write_log(call, "fine\n"))
    with Object(one_program(), log_level=2) as obj:
        obj.load()
        assert obj.programs["prog"].log == "fine\n"
        (load,) = kernel.named("PROG_LOAD")
        assert load.attr.log_level == 2
    with Object(one_program()) as obj:
        obj.programs["prog"].log_level = 4
        obj.load()
        assert kernel.named("PROG_LOAD")[-1].attr.log_level == 4
    with Object(one_program()) as obj:
        obj.load()
        assert obj.programs["prog"].log == ""


def test_refused_without_a_word(kernel: FakeKernel) -> None:

    def refuse(call: Call) -> int | None:
        """Refuse the program by its name, not one that tries whether its type is."""
        return -error if call.attr.prog_name else None

    for error, note in (
        (errno.EPERM, ""),
        (errno.EINVAL, "may not know programs of type SOCKET_FILTER"),
    ):
        kernel.always("PROG_LOAD", refuse)
        with Object(one_program()) as obj, pytest.raises(BpfOSError) as caught:
            obj.load()
        assert not isinstance(caught.value, VerifierError)
        assert caught.value.errno == error
        assert caught.value.command == "BPF_PROG_LOAD"
        assert note in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ProgType.SK_LOOKUP, "SK_LOOKUP; Linux has them since 5.9"),
        (ProgType.LIRC_MODE2, "LIRC_MODE2; Linux has them since 4.18, if it was built"),
    ],
)
def test_a_type_that_the_kernel_has_not(
    kernel: FakeKernel, kind: ProgType, text: str
) -> None:
    kernel.always("PROG_LOAD", -errno.EINVAL)
    with Object(one_program(kind=kind)) as obj:
        with pytest.raises(NotSupportedError) as caught:
            obj.load()
        assert str(caught.value).startswith(
            f"program 'prog': BPF_PROG_LOAD: this kernel has no programs of type {text}"
        )


def test_tried_again_when_interrupted(kernel: FakeKernel) -> None:
    kernel.then("PROG_LOAD", *[-errno.EAGAIN] * 4)
    with Object(one_program()) as obj:
        obj.load()
    assert len(kernel.named("PROG_LOAD")) == 5


def test_an_attach_type_that_an_old_kernel_does_not_know(kernel: FakeKernel) -> None:
    def old(call: Call) -> int | None:
        return -errno.EINVAL if call.attr.expected_attach_type else None

    kernel.always("PROG_LOAD", old)
    features.EXPECTED_ATTACH_TYPE.assume(False)
    spec = one_program(kind=ProgType.XDP, attach_type=AttachType.XDP, optional=True)
    with Object(spec) as obj:
        obj.load()
    with (
        Object(
            spec._replace(
                programs=(spec.programs[0]._replace(attach_type_optional=False),)
            )
        ) as obj,
        pytest.raises(NotSupportedError, match="has no attach type XDP"),
    ):
        obj.load()


def test_helpers_that_an_old_kernel_does_not_know(kernel: FakeKernel) -> None:
    seen: list[list[int]] = []

    def old(call: Call) -> int | None:
        code = call.memory("insns", call.attr.insn_cnt * 8)
        calls = [
            imm for op, _, _, imm in struct.iter_unpack("<BBhi", code) if op == 0x85
        ]
        seen.append(calls)
        return -errno.EINVAL if 113 in calls else None

    kernel.always("PROG_LOAD", old)
    features.PROBE_READ_KERNEL.assume(False)
    code = b"".join(insn(0x85, imm=n) for n in (112, 113, 114, 115, 6))
    hidden = insn(0x18, imm=112) + insn(0x85, imm=112)  # a constant, not a call
    with Object(one_program(code + hidden + RETURN_0)) as obj:
        obj.load()
    assert seen[-1] == [4, 4, 45, 45, 6, 112]


def test_functions_that_an_old_kernel_does_not_know(kernel: FakeKernel) -> None:
    def old(call: Call) -> int | None:
        return -errno.EINVAL if call.attr.prog_btf_fd else None

    features.BTF_FUNC.assume(False)
    kernel.always("PROG_LOAD", old)
    with Object(one_program(btf=kfunc_btf(), lines=bytes(16))) as obj:
        obj.load()
    first, *_, second = kernel.named("PROG_LOAD")
    assert first.attr.func_info_cnt == 1
    assert second.values("prog_btf_fd", "func_info_cnt", "line_info_cnt") == [0, 0, 0]


def test_btf_that_the_kernel_does_not_take(kernel: FakeKernel) -> None:
    for feature in vars(features).values():
        if isinstance(feature, features.Feature):
            feature.assume(True)

    def btf(call: Call) -> int:
        if call.attr.btf_log_level:
            data = b"magic\nunknown kind\n\0"
            call.fill("btf_log_buf", data)
        return -errno.EINVAL

    kernel.always("BTF_LOAD", btf)
    kernel.always("PROG_LOAD", refuse("no"))  # type: ignore[arg-type]  # an answer
    with (
        Object(one_program(btf=kfunc_btf())) as obj,
        pytest.raises(VerifierError) as caught,
    ):
        obj.load()
    assert caught.value.__notes__ == [
        "the kernel did not take the object's BTF: unknown kind"
    ]
    assert not any(c.attr.prog_btf_fd for c in kernel.named("PROG_LOAD"))


def test_memlock_is_lifted_once(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels before 5.11 count BPF memory against a limit."""
    import resource

    limits = [(65536, 65536)]
    monkeypatch.setattr(memlock, "_lifted", Once(memlock._lift))
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    features.MEMCG_ACCOUNT.assume(False)
    kernel.then("MAP_CREATE", -errno.EPERM)
    with Object(one_program(maps=(HASH,))) as obj:
        obj.load()
    assert limits[1:] == [(resource.RLIM_INFINITY, resource.RLIM_INFINITY)]


def test_token(kernel: FakeKernel, tmp_path: Path) -> None:
    with Object(one_program(maps=(HASH,), btf=kfunc_btf()), token=tmp_path) as obj:
        obj.load()
        assert len(kernel.open) == 2
    (token,) = kernel.named("TOKEN_CREATE")
    assert token.attr.bpffs_fd > 2
    assert kernel.named("MAP_CREATE")[0].attr.map_flags == 1 << 16
    assert kernel.named("PROG_LOAD")[0].attr.prog_flags == 1 << 16
    with (
        Object(one_program(), token=tmp_path / "none") as obj,
        pytest.raises(FileNotFoundError),
    ):
        obj.load()


def test_token_of_a_user_namespace(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for where bpffs is, and it is no error that there is none."""
    module = "skelgen.runtime.load.token."
    monkeypatch.delenv("LIBBPF_BPF_TOKEN_PATH", raising=False)

    def loads_with_token(token: str | None = None) -> bool:
        del kernel.calls[:]
        with Object(one_program(maps=(HASH,)), token=token) as obj:
            obj.load()
        return kernel.named("MAP_CREATE")[0].attr.map_flags == 1 << 16

    assert not loads_with_token()
    assert not kernel.named("TOKEN_CREATE")
    monkeypatch.setattr(f"{module}_INITIAL_USER_NAMESPACE", 0)
    monkeypatch.setattr(f"{module}_BPFFS", str(tmp_path))
    assert loads_with_token()
    assert not loads_with_token("")
    assert not kernel.named("TOKEN_CREATE")
    kernel.then("TOKEN_CREATE", -errno.ENOENT)
    assert not loads_with_token()
    assert kernel.named("TOKEN_CREATE")
    monkeypatch.setattr(f"{module}_BPFFS", str(tmp_path / "none"))
    assert not loads_with_token()
    assert not kernel.open


def test_a_map_of_one_program(kernel: FakeKernel) -> None:
    """Its hash does not depend on the fds that maps get."""
    hashes: list[bytes] = []
    kernel.always(
        "MAP_CREATE",
        lambda c: hashes.append(c.memory("excl_prog_hash", c.attr.excl_prog_hash_size)),
    )
    insns = ldimm64(1) + ldimm64(2) + RETURN_0
    relocs = (MapFd(0, "m"), JumpTable(2, (4, 5)))
    with Object(one_program(insns, relocs=relocs, maps=(HASH,))) as obj:
        obj.map("m").exclusive_program = obj.program("prog")
        obj.load()
    plain = ldimm64(1, src=1) + ldimm64(2, src=2) + RETURN_0  # MAP_FD, MAP_VALUE
    assert hashes == [hashlib.sha256(plain).digest(), b""]


def test_a_map_of_a_program_that_is_not_there(kernel: FakeKernel) -> None:
    for name, message in (
        ("prog", "no program 'prog' is loaded; set its autoload"),
        ("other", "the object has no program 'other'"),
    ):
        with Object(one_program(maps=(HASH,), autoload=False)) as obj:
            obj.map("m").exclusive_program = name
            with pytest.raises(
                BpfError, match=f"^map 'm': exclusive_program: {message}$"
            ):
                obj.load()
    with (
        Object(one_program(maps=(HASH,))) as obj,
        Object(one_program(maps=(HASH,))) as other,
    ):
        obj.map("m").exclusive_program = other.program("prog")
        with pytest.raises(
            BpfError,
            match=r"^map 'm': .*program 'prog' is a clone, or of another object$",
        ):
            obj.load()
    with Object(one_program(maps=(HASH,))) as obj:
        obj.map("m").exclusive_program = "prog"
        kernel.then("MAP_CREATE", -errno.E2BIG)
        with pytest.raises(
            NotSupportedError, match=r"map 'm': .* no maps of one program .*6\.18"
        ):
            obj.load()
        kernel.then("MAP_CREATE", *[-errno.E2BIG] * 4)
        with pytest.raises(BpfOSError, match=r"map 'm': .* lower max_entries"):
            obj.load()
    assert not kernel.open
