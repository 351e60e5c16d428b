"""Programs without an object: made from a section name, for tests of attaching."""

import errno
import os
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self, TypeVar, cast

import pytest

from skelgen.btf.kinds import Kind
from skelgen.elf.section_names import match_section
from skelgen.model.enums import AttachType, MapType
from skelgen.model.spec import ProgramSpec, Span
from skelgen.runtime import syscalls
from skelgen.runtime.errors import ENOTSUPP, BpfOSError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.families import program_class

P = TypeVar("P", bound=Program)
LoadProgram = Callable[..., Program]
"""The fixture ``load`` of ``tests/kernel``."""

RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")
RETURN_1 = bytes.fromhex("b7000000010000009500000000000000")


def opened(section: str, cls: type[P], name: str = "prog") -> P:
    """Return a program as ``open()`` makes it from ``SEC(section)``."""
    match = match_section(section)
    spec = ProgramSpec(
        name,
        section,
        match.type,
        match.attach,
        insns=Span(0, 16),
        attach_type=match.attach_type,
        flags=match.flags,
        autoload=match.autoload,
    )
    found = program_class(spec)
    assert found is cls
    program = found(cast("Any", SimpleNamespace(maps_made=False)), spec)
    assert isinstance(program, cls)
    return program


def loaded(
    section: str,
    cls: type[P],
    *,
    insns: bytes = RETURN_0,
    name: str = "prog",
    **load_options: Any,
) -> P:
    """Return a program of a few instructions, loaded; the caller closes it."""
    program = opened(section, cls, name)
    hook = program.attach_type
    fd = syscalls.prog_load(
        type=program.type,
        insns=insns,
        license="GPL",
        name=name,
        attach_type=0 if hook == AttachType.PERF_EVENT else hook,
        flags=program.flags,
        **load_options,
    )
    program.adopt(syscalls.Fd(fd))
    return program


def insn(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """Return one instruction, of a little-endian machine."""
    return struct.pack("<BBhi", code, src << 4 | dst, off, imm)


class Counter:
    """A map with one number, and programs that count in it."""

    def __init__(self) -> None:
        self.fd = syscalls.map_create(
            type=MapType.ARRAY, key_size=4, value_size=8, max_entries=1, name="count"
        )

    def insns(self, *, result: int = 0, here: bool = False) -> bytes:
        """Return a program that adds 1, in every process or in this one."""
        count = (
            insn(0x18, 1, 2, 0, self.fd)  # r1 = address of the number
            + insn(0x00)
            + insn(0xB7, 2, imm=1)  # r2 = 1
            + insn(0xDB, 1, 2)  # lock *(u64 *)r1 += r2
        )
        check = b""
        if here:
            check = (
                insn(0x85, imm=14)  # r0 = bpf_get_current_pid_tgid()
                + insn(0x77, 0, imm=32)  # r0 >>= 32
                + insn(0x55, 0, off=len(count) // 8, imm=os.getpid())  # skip
            )
        return check + count + insn(0xB7, 0, imm=result) + insn(0x95)

    def insns_if_cookie(self, cookie: int) -> bytes:
        """Return a program that adds 1 when it was attached with this cookie."""
        count = self.insns(here=True)
        return (
            insn(0x85, imm=174)  # r0 = bpf_get_attach_cookie(r1)
            + insn(0x15, 0, off=2, imm=cookie)  # if r0 == cookie: go on
            + insn(0xB7, 0)
            + insn(0x95)
            + count
        )

    @property
    def value(self) -> int:
        """How often it was counted."""
        out = bytearray(8)
        assert syscalls.map_lookup(self.fd, bytes(4), out)
        return int.from_bytes(out, "little")

    def close(self) -> None:
        syscalls.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def btf_id(name: str, kind: Kind) -> int:
    """Return a type of the running kernel, or skip the test."""
    found = kernel_btf.vmlinux().find(name, kind)
    if found is None:
        pytest.skip(f"this kernel's BTF has no '{name}'")
    return found


def load_or_skip(load: LoadProgram, section: str, **options: object) -> Program:
    """Load a program, or skip where the kernel refuses programs of its kind."""
    try:
        return load(section, **options)
    except BpfOSError as error:
        if error.errno in {errno.EPERM, ENOTSUPP}:
            pytest.skip(f"this kernel refuses {section}: {error}")
        raise
