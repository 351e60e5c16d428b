"""What the verifier said, cut down to what a person can use.

A log may have a million lines. The reason is in the last ones, and the line of C
that it is about in the program's line info.
"""

from struct import unpack_from
from typing import NamedTuple

from skelgen.btf.errors import BtfParseError
from skelgen.btf.parse import Btf
from skelgen.runtime.core_patch import POISON
from skelgen.runtime.errors import SourceLine, VerifierError, describe
from skelgen.runtime.relocate import POISON_KFUNC, POISON_MAP

_SHOWN = 6
"""Lines of the log in an error's text."""
_LOOKED_AT = 10
"""Lines in which a marker is searched, as in libbpf."""
_LINE_INFO_SIZE = 16
_MARKER = "unknown#"


class Marker(NamedTuple):
    """A call of a helper that does not exist, found in a log."""

    insn: int
    """Index of the instruction; -1 where the log does not say."""
    number: int
    """Of the helper: ``POISON``, or ``POISON_MAP`` or ``POISON_KFUNC`` and more."""


def source_line(line_info: bytes, btf: Btf, insn: int) -> SourceLine | None:
    """Return the C line of an instruction from ``struct bpf_line_info`` records."""
    found = None
    for at in range(0, len(line_info), _LINE_INFO_SIZE):
        start, file_at, text_at, position = unpack_from("=4I", line_info, at)
        if start > insn:
            break
        found = file_at, text_at, position >> 10  # the low 10 bits are the column
    if found is None:
        return None
    try:
        file, text = btf.string(found[0]), btf.string(found[1])
    except BtfParseError:
        return None
    return SourceLine(file, found[2], text.strip())


def failing_insn(log: str) -> int | None:
    """Return the last instruction that the verifier looked at."""
    for line in reversed(log.splitlines()):
        index = _insn_of(line)
        if index is not None:
            return index
    return None


def _insn_of(line: str) -> int | None:
    """Return 12 for ``12: (85) call ...`` and ``from 3 to 12: ...``."""
    head, colon, rest = line.partition(":")
    if head.isdigit() and colon and rest.startswith(" ("):
        return int(head)
    return None


def find_marker(log: str) -> Marker | None:
    """Return the call in the last lines of a log that stands for what is missing."""
    lines = log.splitlines()
    for at in range(len(lines) - 1, max(len(lines) - 1 - _LOOKED_AT, -1), -1):
        head, marker, rest = lines[at].partition("invalid func " + _MARKER)
        if marker and not head and rest.strip().isdigit():
            before = lines[at - 1] if at else ""
            insn = _insn_of(before) if _MARKER in before else None
            return Marker(-1 if insn is None else insn, int(rest))
    return None


def is_poison(number: int) -> bool:
    """Whether a helper's number stands for a CO-RE relocation that failed."""
    return number == POISON


def missing_map(number: int) -> int | None:
    """Return the index of the map that a helper's number stands for."""
    return number - POISON_MAP if POISON_MAP <= number < POISON_KFUNC else None


def missing_extern(number: int) -> int | None:
    """Return the index of the extern that a helper's number stands for."""
    return number - POISON_KFUNC if number >= POISON_KFUNC else None


def useful_lines(log: str) -> list[str]:
    """Return the last lines of a log, without its statistics."""
    lines = [line.rstrip() for line in log.splitlines()]
    while lines and (
        not lines[-1]
        or lines[-1].startswith(
            ("processed ", "verification time ", "stack depth ", "mark_precise")
        )
    ):
        lines.pop()
    return lines[-_SHOWN:]


def verifier_error(
    errno: int,
    program: str,
    log: str,
    source: SourceLine | None,
    reason: str | None = None,
) -> VerifierError:
    """Return the error for a program that the verifier refused.

    ``reason`` is what a marker in the log stands for.
    """
    parts = [f"refused by the verifier: {describe(errno)}"]
    if source is not None:
        parts.append(f"at {source}")
    if reason is not None:
        parts.append(reason)
    parts += useful_lines(log)
    return VerifierError(
        errno,
        "\n  ".join(parts),
        program=program,
        log=log,
        source=source,
    )
