"""Why the kernel refused a program, from its log and from what the loader knows."""

from typing import TYPE_CHECKING

from skelgen.runtime import prog_load, verifier
from skelgen.runtime.core_program import missing

if TYPE_CHECKING:
    from skelgen.btf.core.reloc import CoreRelo
    from skelgen.runtime.errors import BpfError, SourceLine
    from skelgen.runtime.load_types import LoadTypes
    from skelgen.runtime.parts import Parts
    from skelgen.runtime.programs.base import Program


def explain(
    parts: "Parts",
    types: "LoadTypes",
    program: "Program",
    refused: prog_load.Refused,
    poisoned: "dict[int, CoreRelo]",
) -> "BpfError":
    """Return the error that says most about a refused program.

    ``poisoned`` are the CO-RE relocations of it that had no answer.
    """
    error, log = refused.error, refused.log
    if not log.strip():
        return prog_load.without_log(error, program.what, program.type)
    marker = verifier.find_marker(log)
    source = _source(parts, types, program, log)
    where = "the BTF file" if parts.options.btf else "kernel BTF"
    number = -1 if marker is None else marker.number
    relo = None
    reason = _reason(parts, number)
    if marker is not None and verifier.is_poison(number):
        relo = poisoned.get(marker.insn)
        if relo is not None and types.relocator is not None:
            reason = f"{types.relocator.access(relo)} not in {where}"
    verdict = verifier.verifier_error(
        error.errno or 0, program.name, log, source, reason
    )
    if relo is None or types.relocator is None:
        return verdict
    result = missing(program.name, relo, types.relocator, f"not in {where}")
    if source is not None:
        result.add_note(f"at {source}")
    result.__cause__ = verdict
    return result


def _source(
    parts: "Parts", types: "LoadTypes", program: "Program", log: str
) -> "SourceLine | None":
    insn = verifier.failing_insn(log)
    info = program.spec.line_info
    if insn is None or info is None or types.btf is None:
        return None
    return verifier.source_line(bytes(parts.spec.view(info)), types.btf, insn)


def _reason(parts: "Parts", number: int) -> str | None:
    """Return what a helper that does not exist stands for."""
    if verifier.is_poison(number):
        return "a CO-RE relocation has no answer in the target's BTF"
    place = verifier.missing_extern(number)
    if place is not None and place < len(parts.spec.externs):
        return (
            f"kernel function '{parts.spec.externs[place].name}' is called, and this"
            " kernel does not have it"
        )
    place = verifier.missing_map(number)
    names = list(parts.handles())
    if place is not None and place < len(names):
        return f"map '{names[place]}' is used, and was not made"
    return None
