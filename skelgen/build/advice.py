"""Advice on errors of the compiler that users of BPF meet; see compile.py.

clang says what is wrong. Where the reason is not in the C, the text here adds it: a
vmlinux.h that lacks a type, a macro that no vmlinux.h has, headers that the machine
lacks, a clang that is too old or has no BPF. Advice is given where it is certain to
apply: a type that the whole vmlinux.h lacks as well is not said to be in it.
"""

import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import DEFINITIONS, ENUMS, Kind
from skelgen.btf.parse import Btf
from skelgen.btf.types import AnyEnum, Struct, Union
from skelgen.build import btf_dump
from skelgen.codegen.text import doc
from skelgen.compiler import clang
from skelgen.compiler.targets import defined_archs, this_machine
from skelgen.errors import BtfError, CompileError
from skelgen.near_names import or_near

_SMALL = (
    "skelgen's own vmlinux.h has the most common types alone; all of them: "
    "skelgen btf dump --kernel -o vmlinux.h, beside the source, or"
    ' vmlinux = "kernel" in [tool.skelgen], or --vmlinux kernel'
)
_PROTOTYPES = (
    "vmlinux.h declares the kfuncs of its kernel; a program that declares its own"
    " has BPF_NO_KFUNC_PROTOTYPES defined: #define it first in the source, or"
    " --define BPF_NO_KFUNC_PROTOTYPES"
)
_NO_BPF = (
    "this clang was built without the BPF back end; pip install 'bpf-skelgen[clang]'"
    " brings one that has it, and SKELGEN_CLANG=ziglang asks for it"
)

# What clang says of a type, a member or a constant that a header does not have. Its
# words, and the name in quotes, differ a little between versions.
_NAME = r"'(?:(struct|union|enum) )?(\w+)'"
_LACKING_TYPE = re.compile(
    rf"(?:error: unknown type name|note: forward declaration of) {_NAME}"
)
_LACKING_MEMBER = re.compile(rf"no member named '(\w+)' in {_NAME}")
_LACKING_CONSTANT = re.compile(r"use of undeclared identifier '(\w+)'")
# What clang says where a vmlinux.h declares a kfunc otherwise than the program does.
_OTHER_PROTOTYPE = re.compile(
    r"error: conflicting types for '\w+'\n(?!.*error: ).*\n.*\n"
    r".*\bvmlinux\.h:\d+:\d+: note: previous declaration is here"
)
_LACKING_HEADER = re.compile(r"fatal error: '([^'\n]+)' file not found")
_LACKING_TARGET = re.compile(
    r"unable to create target|unknown target triple|No available targets are compatible"
)
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_is_constant = re.compile(r"[A-Z_][A-Z0-9_]+").fullmatch

_SYSTEM = ("linux", "asm-generic", "asm")  # folders of the kernel's UAPI headers


class Failure(NamedTuple):
    """A compilation that failed."""

    error: CompileError
    source: Path
    compiler: clang.Compiler
    options: clang.CompileOptions
    cwd: Path

    @property
    def said(self) -> str:
        """Output of clang, without colors."""
        return _COLOR.sub("", self.error.output)


def advise(failure: Failure) -> None:
    """Add to an error what there is to do about it, a note each."""
    for note in _notes(failure):
        failure.error.add_note(note)


def _notes(failure: Failure) -> Iterator[str]:
    said = failure.said
    if _LACKING_TARGET.search(said):
        yield _NO_BPF
    header = _LACKING_HEADER.search(said)
    if header is not None:
        yield from _about_header(failure, header[1])
    if _OTHER_PROTOTYPE.search(said):
        yield _PROTOTYPES
    lacking = _lacking(said)
    if any(lacking) and _reads_small(failure):
        yield from _about_vmlinux(failure, *lacking)
    if any(lacking):
        yield from _about_architecture(failure)


# What the compiler lacks


def _about_header(failure: Failure, name: str) -> Iterator[str]:
    """Say where a header of the kernel's or of the C library's comes from."""
    if not name.startswith(("linux/", "asm/", "asm-generic/", "sys/", "bits/", "gnu/")):
        return
    if failure.compiler.root is None:
        yield (
            f"<{doc(name)}> comes with the machine's C library: apt install linux-libc-dev"
            " libc6-dev; or pip install 'bpf-skelgen[clang]', which brings such headers,"
            " and SKELGEN_CLANG=ziglang asks for it"
        )


def _about_architecture(failure: Failure) -> Iterator[str]:
    """Say which registers the headers are for, where that is not the target's."""
    target, here = failure.options.target, this_machine()
    named = defined_archs(failure.options.cflags, [failure.source.read_bytes()])
    for arch in {*named} - {target.arch}:
        yield (
            f"the program defines __TARGET_ARCH_{doc(arch)}, and the target is"
            f" {target.name}; leave that to skelgen, which defines what the target needs"
        )
    if failure.compiler.root is None and target.arch not in {None, here.arch}:
        yield (
            f"the headers of this machine are those of {here.name}, and the target is"
            f" {target.name}; bpf-skelgen[clang] has them for every target, and"
            " SKELGEN_CLANG=ziglang asks for it"
        )


# What vmlinux.h lacks


class _Lacking(NamedTuple):
    """Names that a program uses and no header has."""

    types: tuple[str, ...]
    members: tuple[tuple[str, str], ...]
    """Pairs of struct and member."""
    constants: tuple[str, ...]


def _lacking(said: str) -> _Lacking:
    return _Lacking(
        tuple(dict.fromkeys(found[2] for found in _LACKING_TYPE.finditer(said))),
        tuple(
            dict.fromkeys(
                (found[3], found[1]) for found in _LACKING_MEMBER.finditer(said)
            )
        ),
        tuple(dict.fromkeys(_LACKING_CONSTANT.findall(said))),
    )


def _about_vmlinux(
    failure: Failure,
    types: tuple[str, ...],
    members: tuple[tuple[str, str], ...],
    constants: tuple[str, ...],
) -> Iterator[str]:
    """Say which of what is lacking a whole vmlinux.h has, and what none has."""
    macros = {name: header for name in constants for header in _defining(failure, name)}
    for name, header in macros.items():
        yield (
            f"{name} is a macro of <{header}>, and no vmlinux.h has macros; #define it in"
            " the program"
        )
    constants = tuple(name for name in constants if name not in macros)
    ours = (clang.VMLINUX / "vmlinux.h").read_text("utf-8")
    members = tuple(pair for pair in members if f"\nstruct {pair[0]} {{" in ours)
    kernel = _running_kernel()
    if kernel is None:
        if types or members or any(map(_is_constant, constants)):
            yield f"{_SMALL} (this machine cannot tell what that has: no kernel BTF)"
        return
    found = [name for name in types if kernel.find_all(name, *DEFINITIONS)]
    found += [
        f"{name}.{member}" for name, member in members if _has(kernel, name, member)
    ]
    found += sorted(_constants(kernel, constants))
    if found:
        yield f"this kernel has {', '.join(map(doc, found))}. {_SMALL}"
    for name, member in members:
        if not _has(kernel, name, member):
            struct = kernel.find(name, Kind.STRUCT)
            every = set[str]() if struct is None else _members(kernel, struct)
            said = f"struct {name} of this kernel has no member '{member}' either"
            yield or_near(said, member, every)


def _running_kernel() -> Btf | None:
    """Return the types of the kernel that runs here, if it can tell them."""
    try:
        return Btf(btf_dump.read_kernel().data)
    except (BtfError, BtfParseError):
        return None


def _has(btf: Btf, struct: str, member: str) -> bool:
    """Tell whether a struct or union, or what is nameless in it, has a member."""
    return any(
        member in _members(btf, type_id)
        for type_id in btf.find_all(struct, Kind.STRUCT, Kind.UNION)
    )


def _members(btf: Btf, type_id: int) -> set[str]:
    found: set[str] = set()
    waiting = [type_id]
    while waiting:
        struct = btf.type(waiting.pop())
        if isinstance(struct, Struct | Union):
            found |= {member.name for member in struct.members if member.name}
            waiting += [one.type_id for one in struct.members if not one.name]
    return found


def _constants(btf: Btf, names: tuple[str, ...]) -> set[str]:
    """Return which of the names are constants of the kernel's enumerations."""
    wanted, found = set(names), set[str]()
    if not wanted:
        return found
    for type_id in btf.ids():
        if btf.kind(type_id) in ENUMS:
            enum = btf.type(type_id)
            if isinstance(enum, AnyEnum):
                found |= {value.name for value in enum.values} & wanted
    return found


def _defining(failure: Failure, name: str) -> Iterator[str]:
    """Yield the UAPI header that defines a macro, as a program would include it."""
    if not _is_constant(name):
        return
    defines = re.compile(rf"^[ \t]*#[ \t]*define[ \t]+{name}\b".encode(), re.MULTILINE)
    words = failure.error.command
    folders = [
        Path(folder)
        for flag, folder in itertools.pairwise(words)
        if flag == "-idirafter" and folder != str(clang.VMLINUX)
    ]
    if failure.compiler.root is None:
        folders.append(Path("/usr/include"))
    for folder in folders:
        for part in _SYSTEM:
            for header in sorted(Path(folder, part).rglob("*.h")):
                if defines.search(header.read_bytes()):
                    yield str(header.relative_to(folder))
                    return


def _reads_small(failure: Failure) -> bool:
    """Tell whether a compilation that failed includes skelgen's own vmlinux.h."""
    # -H lists headers as they are found, also where the rest is in error
    done = subprocess.run(
        (*failure.error.command, "-H", "-fsyntax-only"),
        cwd=failure.cwd,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return f" {clang.VMLINUX / 'vmlinux.h'}\n" in done.stderr
