"""Programs without an object: made from a section name, for tests of attaching."""

from typing import Any, TypeVar, cast

from skelgen.elf.sections import match_section
from skelgen.model.enums import AttachType
from skelgen.model.spec import ProgramSpec, Span
from skelgen.runtime import syscalls
from skelgen.runtime.programs import program_class
from skelgen.runtime.programs.base import Program

P = TypeVar("P", bound=Program)

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
    program = found(cast("Any", None), spec)
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
