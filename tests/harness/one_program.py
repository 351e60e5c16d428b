"""Objects of one program, and a verifier that refuses it."""

import errno
import struct
import sys

from skelgen.btf.build import BtfBuilder
from skelgen.model.attach import Attach, Manual
from skelgen.model.enums import MapType, ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import (
    ExternKind,
    ExternSpec,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    Reloc,
)
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import Answer, Call, FakeKernel
from tests.harness.specs import RETURN_0, insn


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


HASH = MapSpec("m", MapType.HASH, 4, 4, 1)


def kfunc(*, weak: bool = False, name: str = "kfunc") -> ExternSpec:
    return ExternSpec(name, ExternKind.KFUNC, weak, 3)


def kfunc_btf() -> bytes:
    b = BtfBuilder(sys.byteorder)
    int_id = b.add_int("int", 4, signed=True)
    b.add_func("kfunc", b.add_func_proto(int_id), 2)
    b.add_func("none", 2, 2)
    return b.bytes()


CALL = insn(0x85, 0, 1, 0, -1)


def write_log(call: Call, text: str) -> None:
    if call.attr.log_level:
        data = text.encode() + b"\0"
        call.fill("log_buf", data)


def refuse(text: str, error: int = errno.EINVAL) -> Answer:
    def answer(call: Call) -> int:
        write_log(call, text)
        return -error

    return answer
