"""The verifier's log, read: the way it went, what it knew, what it said at the end.

The log is meant for people and has changed with most kernels; what is not understood
is left out, never an error. Since Linux 7.3 the kernel adds a diagnosis of its own.
"""

import re

from skelgen._record import Record
from skelgen.runtime.errors import Diagnosis

_TAIL = 1 << 20
"""Bytes at the end that are read: the way to the fault, of a log of any length."""
_MAX_LINE = 4096
_MESSAGES = 50
_MAX_MESSAGE = 512

_STEP = re.compile(r"(\d+): \([0-9a-f]{2}\) (.*)")
_AFTER = re.compile(
    r"\s+; (?=(?:frame\d+: )?\s*(?:R\d|fp-\d|refs=))|\s\d+: (?=R\d|frame)"
)
_STATE = re.compile(r"(?:\d+:)? *(?:frame\d+: )?(?:R\d+\w*=|fp-\d+\w*=)")
_FROM = re.compile(r"from \d+ to \d+.*?:")
_REGISTER = re.compile(
    r"(?<!\S)(R\d+|fp-\d+)(?:_\w+)?=([^\s(]*(?:\((?:[^()]|\([^()]*\))*\))?)"
)
_ID = re.compile(r"\bid=(?!0\b)\d+")
_REACH = re.compile(r"\br=\d+")
_ASSIGNS = re.compile(r"[rw](\d+) \S*= ?")

_CHATTER = re.compile(
    r"func#\d+ @|processed \d+ insns|verification time |stack depth |insns processed"
    r"|mark_precise|last_idx |regs=|parent |propagating |frame ?\d+: propagating"
    r"|cur state:|old state:|Live regs|Validating |caller:|callee:|to caller at "
    r"|returning from callee:|\d+: safe|;|arg#\d+ reference type\('UNKNOWN '\)"
    r"|Func#\d+ (?:\('.*'\) )?is (?:global|safe)"
)
_DIAGNOSIS = "Verification failed:"
_AT_INSN = re.compile(r">>>\s+(\d{1,9}) \| \([0-9a-f]{2}\) ")
_MAX_PARAGRAPH = 512


class Step(Record):
    """An instruction on the way that the verifier went."""

    insn: int
    """Index in the program, subprograms behind it included."""
    text: str
    """Disassembled by the kernel: ``r0 = *(u64 *)(r0 +8)``."""
    after: str
    """Registers that it changed, as the log writes them; may be empty."""

    @property
    def assigns(self) -> str | None:
        """The register that it writes: ``R0``."""
        if self.text.startswith("call"):
            return "R0"
        found = _ASSIGNS.match(self.text)
        return None if found is None else f"R{found[1]}"


class Log(Record):
    """The facts that can be read out of a log."""

    steps: tuple[Step, ...]
    """The way to the fault, as far as the log shows it; the last is at fault."""
    before: dict[str, str]
    """Registers and stack before the last step: ``{"R1": "ctx()", "fp-8": "0"}``."""
    messages: tuple[str, ...]
    """The verifier's complaint at the end, without its statistics."""
    diagnosis: Diagnosis | None = None


def registers(text: str) -> dict[str, str]:
    """Return ``{"R1": "ctx()"}`` of ``0: R1=ctx() R10=fp0``."""
    return {name: value for name, value in _REGISTER.findall(text) if value}


def read_log(text: str) -> Log:
    """Read a log; any text will do."""
    lines = text[-_TAIL:].splitlines()
    if len(text) > _TAIL:
        del lines[:1]  # the rest of a line
    steps: list[Step] = []
    known: dict[str, str] = {}
    before: dict[str, str] = {}
    messages: list[str] = []
    for number, whole in enumerate(lines):
        line = whole.rstrip()[:_MAX_LINE]
        if line.startswith(_DIAGNOSIS):
            diagnosis = _diagnosis(lines[number:])
            return Log(tuple(steps), before, tuple(messages[-_MESSAGES:]), diagnosis)
        step = _STEP.match(line)
        if step is not None:
            before = known.copy()
            steps.append(_step(int(step[1]), step[2], known))
            messages.clear()
        elif _FROM.match(line):
            known.clear()
            known.update(registers(line))
            messages.clear()
        elif _STATE.match(line):
            known.update(registers(line))
            messages.clear()
        elif line in {"caller:", "callee:"} or line.startswith("to caller at "):
            known.clear()
        elif line and not _CHATTER.match(line):
            messages.append(line[:_MAX_MESSAGE])
    return Log(tuple(steps), before if steps else known, tuple(messages[-_MESSAGES:]))


def _step(insn: int, text: str, known: dict[str, str]) -> Step:
    """Return a step and bring what is known up to date."""
    parts = _AFTER.split(text, maxsplit=1)
    after = parts[1] if len(parts) > 1 else ""
    step = Step(insn, parts[0].rstrip("; "), after)
    # without a word on it (before Linux 5.17) nothing is known of what it wrote
    if step.text.startswith("call"):
        for number in range(6):
            known.pop(f"R{number}", None)
    elif step.assigns is not None:
        known.pop(step.assigns, None)
    changed = registers(after)
    if step.text.startswith("if "):
        _follow(known, changed)
    known.update(changed)
    return step


def _follow(known: dict[str, str], changed: dict[str, str]) -> None:
    """Bring to date what shares an id with a register that a jump told about.

    The log shows the registers of the jump alone.
    """
    for name, new in changed.items():
        old = known.get(name, "")
        if "(" not in old or old == new:
            continue
        number = _ID.search(old)
        reach = _REACH.search(new) if new.startswith("pkt") else None
        if number is None and reach is None:
            continue
        for other, state in list(known.items()):
            if other in changed or _ID.findall(state) != _ID.findall(old):
                continue
            if reach is not None and state.startswith("pkt"):
                known[other] = _REACH.sub(reach[0], state)
            elif number is not None:
                del known[other]


def _diagnosis(lines: list[str]) -> Diagnosis:
    """Read the kernel's diagnosis, which is behind everything but statistics."""
    sections: dict[str, list[str]] = {}
    category, _, title = lines[0].removeprefix(_DIAGNOSIS).partition(":")
    section: list[str] = []
    for line in lines[1:]:
        if line.startswith("processed "):
            break
        if line[:1].strip() and line.rstrip().endswith(":"):
            section = sections.setdefault(line.rstrip()[:-1], [])
        else:
            section.append(line[:_MAX_LINE].strip())
    at = sections.get("At", [])
    insn = next(filter(None, map(_AT_INSN.match, at)), None)
    return Diagnosis(
        category.strip(),
        title.strip(),
        _paragraph(sections.get("Reason", [])),
        _paragraph(sections.get("Suggestion", [])),
        next(iter(at), ""),
        None if insn is None else int(insn[1]),
    )


def _paragraph(lines: list[str]) -> str:
    return " ".join(filter(None, lines))[:_MAX_PARAGRAPH]
