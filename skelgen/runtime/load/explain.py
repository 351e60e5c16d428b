"""Why the kernel refused a program, from its log and from what the loader knows."""

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import Kind
from skelgen.btf.layout import section_vars
from skelgen.model.flags import BPF_F_SLEEPABLE
from skelgen.model.instructions import all_newer
from skelgen.model.spec import MapFd, MapValue
from skelgen.runtime.errors import BpfError
from skelgen.runtime.insns.core import missing
from skelgen.runtime.kernel.features import unknown_types
from skelgen.runtime.load.program import without_log
from skelgen.runtime.load.refusal import causes, helper
from skelgen.runtime.log import debug
from skelgen.runtime.verifier.facts import Facts, Names
from skelgen.runtime.verifier.lines import Lines
from skelgen.runtime.verifier.log import Log, read_log
from skelgen.runtime.verifier.report import useful_lines, verifier_error

if TYPE_CHECKING:
    from skelgen.btf.core.reloc import CoreRelo
    from skelgen.btf.parse import Btf
    from skelgen.model.linked import Linked
    from skelgen.model.spec import ObjectSpec
    from skelgen.runtime.errors import BpfOSError, NotSupportedError
    from skelgen.runtime.load.functions import Code
    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.load.program import Refused
    from skelgen.runtime.load.types import LoadTypes
    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.programs.request import ProgramRequest

_UNCLEAR = (errno.EPERM, errno.EACCES, errno.EINVAL)
_MARKER = "call unknown#"
_NOTHING_READ = "processed 0 insns"
"""In the log of a program that was refused for what it is, not for what it does."""


def explain(
    parts: "Parts",
    types: "LoadTypes",
    program: "Program",
    code: "Code",
    refused: "Refused",
) -> "BpfError":
    """Return the error that says most about a refused program."""
    error, log = refused.error, refused.log
    linked, poisoned = code.linked, code.poisoned()
    if not useful_lines(log) or _NOTHING_READ in log:
        unknown = _unknown(program, error)
        if unknown is not None:
            return unknown
    if not useful_lines(log):
        return _silent(types, program, refused, len(linked))
    try:
        facts = _facts(parts, types, program, linked, read_log(log), poisoned)
        verdict = verifier_error(error.errno or 0, program.name, log, facts)
    except Exception as fault:  # noqa: BLE001 - it must not hide what it explains
        debug("program '%s': its log is not explained: %r", program.name, fault)
        nothing = Facts(Log((), {}, ()))
        return verifier_error(error.errno or 0, program.name, log, nothing)
    step = facts.step
    if step is None or _MARKER not in step.text:
        return verdict
    relo = poisoned.get(step.insn)
    if relo is None or types.relocator is None:
        return verdict
    where = f"not in {_target(parts)}"
    result = missing(program.name, relo, types.relocator, where)
    if verdict.source is not None:
        result.add_note(f"at {verdict.source}")
    if verdict.hint is not None:
        result.add_note(f"hint: {verdict.hint}")
    result.__cause__ = verdict
    return result


def _silent(
    types: "LoadTypes",
    program: "Program",
    refused: "Refused",
    insns: int,
) -> "BpfError":
    """Return the error about a program that was refused without a word."""
    error = refused.error
    result = without_log(error, program.what, program.type, insns)
    if error.errno in _UNCLEAR:
        for note in _causes(refused.request, types):
            result.add_note(note)
    return result


def _unknown(program: "Program", error: "BpfOSError") -> "NotSupportedError | None":
    """Return the error of a type that the kernel has not, where that is it."""
    unknown = unknown_types.unknown_type(program.type, error)
    if unknown is None and program.attach_type:
        return unknown_types.unknown_hook(program.attach_type, error)
    return unknown


def _causes(request: "ProgramRequest", types: "LoadTypes") -> list[str]:
    try:
        return causes(request, types)
    except (BpfError, BtfParseError, OSError) as fault:
        debug("program '%s': nothing was tried: %r", request.name, fault)
        return []


def _target(parts: "Parts") -> str:
    return "the BTF file" if parts.options.btf else "kernel BTF"


def _facts(
    parts: "Parts",
    types: "LoadTypes",
    program: "Program",
    linked: "Linked",
    log: Log,
    poisoned: "dict[int, CoreRelo]",
) -> Facts:
    spec = program.spec

    def access(insn: int) -> str | None:
        relo = poisoned.get(insn)
        if relo is None or types.relocator is None:
            return None
        return f"{types.relocator.access(relo)} is not in {_target(parts)}"

    lines = None
    if types.btf is not None and spec.line_info is not None:
        lines = Lines(types.btf, linked.line_info, linked.func_info)
    return Facts(
        log,
        program_type=program.type,
        section=spec.section,
        license=parts.spec.license,
        sleepable=bool(program.flags & BPF_F_SLEEPABLE),
        lines=lines,
        names=_names(parts, types.btf, linked),
        find_struct=lambda name, kernel: _find_struct(types, name, kernel=kernel),
        missing=access,
        ask_helper=helper,
        newer=all_newer(linked.code(), parts.spec.byteorder),
    )


def _names(parts: "Parts", btf: "Btf | None", linked: "Linked") -> Names:
    maps: dict[int, str] = {}
    variables: dict[int, str] = {}
    for reloc in linked.relocs:
        if isinstance(reloc, MapFd):
            maps[reloc.insn] = reloc.map
        elif isinstance(reloc, MapValue):
            maps[reloc.insn] = reloc.section
            name = _variable(parts.spec, btf, reloc)
            if name is not None:
                variables[reloc.insn] = name
    return Names(
        maps,
        variables,
        tuple(parts.handles()),
        tuple(extern.name for extern in parts.spec.externs),
    )


def _variable(spec: "ObjectSpec", btf: "Btf | None", reloc: MapValue) -> str | None:
    """Return the global variable at a place in a data section."""
    for data in spec.data:
        if data.section == reloc.section and data.type_id and btf is not None:
            try:
                for var in section_vars(btf, data.type_id):
                    if var.offset <= reloc.offset < var.offset + max(var.size, 1):
                        return var.name
            except BtfParseError:
                return None
    return None


def _find_struct(
    types: "LoadTypes", name: str, *, kernel: bool
) -> "tuple[Btf, int] | None":
    """Return a struct: the object's own, which it was compiled with, or the kernel's."""
    if types.btf is not None and not kernel:
        own = types.btf.find(name, Kind.STRUCT)
        if own is not None:
            return types.btf, own
    try:
        found = types.kernel.vmlinux.find(name, Kind.STRUCT)
    except (BpfError, BtfParseError, OSError):
        return None
    return None if found is None else (types.kernel.vmlinux, found)
