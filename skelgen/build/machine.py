"""Whether what was compiled is for one kind of machine alone.

A program that reads registers (``PT_REGS_PARM1()``, ``BPF_KPROBE()``), or asks for the
architecture (``__TARGET_ARCH_x86``), is another program for each; elsewhere it would load
and read what is in the same place there. An object does not say so. The compiler does:
what depends on the machine comes out otherwise for another one, or not at all.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import iter_unpack

from skelgen import elf
from skelgen.btf.core.spec import ReloKind, parse
from skelgen.btf.core.types import SpecError
from skelgen.btf.errors import BtfParseError
from skelgen.btf.ext import CoreRelo
from skelgen.btf.parse import Btf
from skelgen.build.compile import Compiled, compile_c
from skelgen.compiler import clang
from skelgen.compiler.targets import TARGETS, Target, defined_archs, without_arch
from skelgen.errors import SkelgenError
from skelgen.model.spec import ObjectSpec, ProgramSpec, SubprogramSpec

# What C says that may depend on the machine: who says none of it need not be compiled
# twice. Headers of skelgen and of the system are left out, as they do nothing unasked.
_MAY_DEPEND = re.compile(
    rb"PT_REGS|PROBE|SYSCALL|USDT|TARGET_ARCH|bpf_target_|regs\b|asm/"
    rb"|__(?:x86_64|i386|aarch64|arm|riscv|s390x?|powerpc|mips|loongarch)__"
)
_OPERANDS = (2, 8)  # bytes of an instruction that a relocation fills in


def depends(
    compiled: Compiled, source: Path, options: clang.CompileOptions, root: Path
) -> bool:
    """Tell whether an object, compiled with ``options``, is for their target alone.

    Arguments as of :func:`skelgen.build.compile.compile_c`. Takes another compilation
    where the C may depend on the machine.
    """
    target = options.target
    texts = list(_texts(compiled.inputs))
    if target.arch is None or not any(map(_MAY_DEPEND.search, texts)):
        return False
    if defined_archs((), texts):
        return True  # the C itself says which machine, whatever the target
    other = dataclasses.replace(
        options, target=_another(target), cflags=without_arch(options.cflags)
    )
    try:
        again = compile_c(source, other, root=root)
        return _code(_read(compiled.data)) != _code(_read(again.data))
    except (SkelgenError, SpecError, BtfParseError):
        return True


def other_arch(compiled: Compiled, options: clang.CompileOptions) -> str | None:
    """Return the ``x`` of a ``__TARGET_ARCH_x`` that the user defined, not the target's.

    The headers may take that one instead; ``None`` where all is well.
    """
    named = defined_archs(options.cflags, _texts(compiled.inputs))
    return next((arch for arch in named if arch != options.target.arch), None)


def _texts(inputs: Sequence[Path]) -> Iterator[bytes]:
    """Yield the user's own files among those that a compilation read."""
    ziglang = clang.installed_root()
    for path in inputs:
        whole = path.resolve()
        if not (
            whole.is_relative_to(clang.INCLUDE)
            or whole.is_relative_to("/usr/include")
            or whole.is_relative_to("/usr/lib")
            or (ziglang is not None and whole.is_relative_to(ziglang))
        ):
            yield path.read_bytes()


def _another(target: Target) -> Target:
    """Return a target of the same byte order and other registers."""
    names = (
        ("aarch64", "x86_64") if target.byteorder == "little" else ("s390x", "ppc64")
    )
    return next(TARGETS[name] for name in names if TARGETS[name].arch != target.arch)


def _read(data: bytes) -> ObjectSpec:
    return elf.read_object(data, name="x", source="x.o", path="x.o")


def _code(spec: ObjectSpec) -> object:
    """Return what runs, and what it runs on; not where the compiler laid types out."""
    btf = None if spec.btf is None else Btf(spec.view(spec.btf))
    functions: list[ProgramSpec | SubprogramSpec] = [*spec.programs, *spec.subprograms]
    code = [
        (one.name, _instructions(spec, one), one.relocs, _accesses(spec, btf, one))
        for one in functions
    ]
    sections = [one.section for one in spec.programs]
    data = [
        (one.section, one.size, one.image and bytes(spec.view(one.image)))
        for one in spec.data
    ]
    return sections, code, data


def _relocations(
    spec: ObjectSpec, function: ProgramSpec | SubprogramSpec
) -> list[CoreRelo]:
    if function.core_relos is None:
        return []
    prefix = "<" if spec.byteorder == "little" else ">"
    records = iter_unpack(f"{prefix}4I", spec.view(function.core_relos))
    return [CoreRelo(*record) for record in records]


def _instructions(spec: ObjectSpec, function: ProgramSpec | SubprogramSpec) -> bytes:
    """Return a function's code, without what CO-RE fills in when it is loaded."""
    code = bytearray(spec.view(function.insns))
    start, end = _OPERANDS
    for relo in _relocations(spec, function):
        at = relo.insn_off * 8
        code[at + start : at + end] = bytes(end - start)
    return bytes(code)


def _accesses(
    spec: ObjectSpec, btf: Btf | None, function: ProgramSpec | SubprogramSpec
) -> list[tuple[int, int, str]]:
    """Return what CO-RE looks up, by the names in C."""
    if btf is None:
        return []
    return [
        (
            relo.insn_off,
            relo.kind,
            parse(
                btf, relo.type_id, btf.string(relo.access_str_off), ReloKind(relo.kind)
            ).access,
        )
        for relo in _relocations(spec, function)
    ]
