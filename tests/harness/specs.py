"""Blueprints of objects, made in code: a map, data, two programs, BTF."""

import struct
import sys

from skelgen.btf.build import BtfBuilder
from skelgen.model.attach import RawTracepoint, Tracepoint
from skelgen.model.enums import MapType, ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import (
    DataKind,
    DataSpec,
    ExternKind,
    ExternSpec,
    KconfigType,
    MapFd,
    MapSpec,
    MapValue,
    ObjectSpec,
    Pinning,
    ProgramSpec,
)

PREFIX = "<" if sys.byteorder == "little" else ">"


def insn(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """Return one instruction of this machine's byte order."""
    regs = dst | src << 4 if sys.byteorder == "little" else dst << 4 | src
    return struct.pack(PREFIX + "BBhi", code, regs, off, imm)


def ldimm64(dst: int, value: int = 0, src: int = 0) -> bytes:
    """Return a 64-bit load."""
    low, high = value & 0xFFFFFFFF, value >> 32
    signed = struct.unpack("=i", struct.pack("=I", low))[0]
    return insn(0x18, dst, src, 0, signed) + insn(0, imm=high)


RETURN_0 = insn(0xB7) + insn(0x95)


def plain_btf() -> bytes:
    """Return BTF with an integer and a data section."""
    builder = BtfBuilder(sys.byteorder)
    int_id = builder.add_int("int", 4, signed=True)
    var = builder.add_var("counter", int_id)
    builder.add_datasec(".bss", 4, [(var, 0, 4)])
    return builder.bytes()


def plain_object() -> ObjectSpec:
    """Return an object with a map, ``.rodata``, ``.bss`` and two programs."""
    image = ImageBuilder()
    first = ldimm64(1) + ldimm64(2) + RETURN_0
    return ObjectSpec(
        name="plain",
        source="plain.bpf.o",
        byteorder=sys.byteorder,
        license="GPL",
        maps=(
            MapSpec(
                "counts",
                MapType.HASH,
                key_size=4,
                value_size=8,
                max_entries=16,
                key_type_id=1,
                value_type_id=1,
            ),
        ),
        data=(
            DataSpec(".rodata", DataKind.RODATA, 8, image.add(bytes(range(1, 9)))),
            DataSpec(".bss", DataKind.BSS, 4, mmapable=True, type_id=3),
        ),
        programs=(
            ProgramSpec(
                "first",
                "tp/sched/sched_process_exec",
                ProgType.TRACEPOINT,
                Tracepoint("sched", "sched_process_exec"),
                insns=image.add(first),
                relocs=(MapFd(0, "counts"), MapValue(2, ".bss", 0)),
            ),
            ProgramSpec(
                "second",
                "raw_tp/sys_enter",
                ProgType.RAW_TRACEPOINT,
                RawTracepoint("sys_enter"),
                insns=image.add(RETURN_0),
            ),
        ),
        btf=image.add(plain_btf()),
        image=image.bytes(),
    )


def rich_object() -> ObjectSpec:
    """Return :func:`plain_object` with maps of maps, a prog array, pins, .kconfig."""
    plain = plain_object()
    inner = MapSpec("inner", MapType.ARRAY, 4, 8, 2)
    return plain._replace(
        maps=(
            *plain.maps,
            MapSpec("kept", MapType.ARRAY, 4, 4, 1, pinning=Pinning.BY_NAME),
            inner,
            MapSpec(
                "outer",
                MapType.HASH_OF_MAPS,
                4,
                4,
                8,
                inner=inner._replace(name=""),
                values=((3, "inner"),),
            ),
            MapSpec(
                "calls",
                MapType.PROG_ARRAY,
                4,
                4,
                4,
                values=((0, "second"), (2, "first")),
            ),
            MapSpec("events", MapType.RINGBUF, max_entries=5000),
        ),
        data=(*plain.data, DataSpec(".kconfig", DataKind.KCONFIG, 4)),
        externs=(
            ExternSpec(
                "CONFIG_X",
                ExternKind.KCONFIG,
                kconfig=KconfigType.INT,
                size=4,
                signed=True,
            ),
        ),
    )
