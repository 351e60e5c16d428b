"""Instructions are relocated: maps, kernel functions, addresses, jump tables."""

import errno
import struct

import pytest

from skelgen.btf.index import KernelBtf
from skelgen.btf.types import Kind
from skelgen.model.spec import (
    ExternKind,
    ExternLoad,
    ExternSpec,
    JumpTable,
    KfuncCall,
    MapFd,
)
from skelgen.runtime.errors import BpfError, NotSupportedError
from skelgen.runtime.insns.poison import POISON_KFUNC, POISON_MAP
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import FakeKernel
from tests.harness.one_program import (
    CALL,
    HASH,
    kfunc,
    kfunc_btf,
    loaded_insns,
    one_program,
)
from tests.harness.specs import RETURN_0, ldimm64


def test_a_map_that_was_not_made_poisons_its_loads(kernel: FakeKernel) -> None:
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


def test_a_kernel_function_is_called_by_its_type_number(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
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


def test_a_missing_weak_kernel_function_is_poison_or_0(
    kernel: FakeKernel, vmlinux: KernelBtf
) -> None:
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


def test_an_address_is_written_into_both_halves(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_relocations_of_other_instructions_are_refused(
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


def test_equal_jump_tables_become_one_frozen_map(kernel: FakeKernel) -> None:
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


def test_without_jump_tables_the_error_names_their_kernel(kernel: FakeKernel) -> None:
    kernel.always("MAP_CREATE", -errno.EINVAL)
    spec = one_program(ldimm64(1) + RETURN_0, relocs=(JumpTable(0, (2,)),))
    with Object(spec) as obj, pytest.raises(NotSupportedError, match=r"6\.19 has it"):
        obj.load()
