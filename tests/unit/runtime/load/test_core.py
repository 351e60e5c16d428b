"""CO-RE relocations, with types of the kernel, of a file, and without any."""

import struct
import sys

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.spec import ReloKind
from skelgen.btf.index import KernelBtf
from skelgen.runtime.errors import (
    BpfError,
    CoreRelocationError,
    KernelBtfError,
    VerifierError,
)
from skelgen.runtime.insns.poison import POISON, POISON_KFUNC, POISON_MAP
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.object.object import Object
from skelgen.runtime.process.once import Once
from tests.harness.fake_kernel import FakeKernel
from tests.harness.one_program import (
    HASH,
    kfunc,
    kfunc_btf,
    loaded_insns,
    one_program,
    refuse,
)
from tests.harness.specs import RETURN_0, insn


def test_the_other_byte_order_is_refused(kernel: FakeKernel) -> None:
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


def test_core_offsets_are_those_of_the_kernel_or_the_file(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
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


def test_core_of_a_program_that_is_not_loaded_is_not_looked_at(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    btf = local_task("pid")
    broken = relo(btf, access="0:9")
    spec = one_program(LDX + RETURN_0, core=broken, btf=btf, autoload=False)
    with Object(spec) as obj:
        obj.load()
    assert not kernel.named("PROG_LOAD")


def test_a_relocation_that_makes_no_sense_is_refused_with_its_place(
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


def test_core_without_btf_is_refused(kernel: FakeKernel) -> None:
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


def test_a_kernel_without_btf_loads_what_has_no_core(
    kernel: FakeKernel, no_vmlinux: None
) -> None:
    """What has no CO-RE relocations is loaded, with BTF of its own or without."""
    with Object(one_program(LDX + RETURN_0)) as obj:
        obj.load()
    own = one_program(LDX + RETURN_0, maps=(HASH,), btf=local_task("pid"))
    with Object(own) as obj:
        obj.load()
    assert len(kernel.named("BTF_LOAD")) == 1
    assert len(kernel.named("PROG_LOAD")) == 2


def test_core_on_a_kernel_without_btf_says_what_helps(
    kernel: FakeKernel, no_vmlinux: None
) -> None:
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


def test_a_field_that_the_kernel_does_not_have_poisons_and_is_named(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
    assert vmlinux
    btf = local_task("tgid")
    spec = one_program(LDX + RETURN_0, core=relo(btf), btf=btf)
    assert loaded_insns(kernel, spec)[0] == (0x85, 0, 0, 0, POISON)
    log = f"0: (85) call unknown#{POISON}\ninvalid func unknown#{POISON}\nprocessed 1 insns\n"
    kernel.always("PROG_LOAD", refuse(log))
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
def test_markers_in_a_log_are_explained(
    kernel: FakeKernel, vmlinux: KernelBtf, number: int, text: str
) -> None:
    assert vmlinux
    log = f"0: (85) call unknown#{number}\ninvalid func unknown#{number}\n"
    kernel.always("PROG_LOAD", refuse(log))
    spec = one_program(maps=(HASH,), externs=(kfunc(weak=True),), btf=kfunc_btf())
    with Object(spec) as obj, pytest.raises(VerifierError, match=text):
        obj.load()
