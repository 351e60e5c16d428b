"""The error for a program that the verifier refused, and its text."""

import re
import textwrap

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import Register, VerifierError, describe
from skelgen.runtime.verifier import registers
from skelgen.runtime.verifier.reasons import reason

if TYPE_CHECKING:
    from skelgen.runtime.errors import Diagnosis, SourceLine
    from skelgen.runtime.verifier.facts import Facts
    from skelgen.runtime.verifier.pattern import Reason

_WIDTH = 96
_SAID = 4
"""Messages of the verifier in an error's text."""
_SAID_ALONE = 8
"""Likewise, where nobody knows what is behind them."""
_REGISTERS = 3
_STATISTICS = ("processed ", "verification time ", "stack depth ", "mark_precise")


def verifier_error(errno: int, program: str, log: str, facts: "Facts") -> VerifierError:
    """Return the error for a program that the verifier refused."""
    why, diagnosis = reason(facts), facts.log.diagnosis
    insn = _insn(facts, why)
    step = facts.step
    if step is not None and step.insn != insn:
        step = None
    source = facts.source(insn)
    lines = facts.lines
    around = () if lines is None or insn is None else lines.around(insn)
    function = None if lines is None or insn is None else lines.function(insn)
    used = () if step is None else _registers(facts)
    said = facts.log.messages[-_SAID:]
    if why is None and diagnosis is None:
        said = useful_lines(log)
    text = [f"refused by the verifier: {describe(errno)}"]
    text += _where(source, around, function, program)
    if step is not None:
        text.append(f"  instruction {step.insn}: {step.text}")
    elif insn is not None:
        text.append(f"  instruction {insn}")
    for register in used:
        text += _wrapped(f"{register.name.lower()} is ", register.meaning, "      ")
    if said:
        text.append("  the verifier:")
        for message in said:
            text += _wrapped("", message, "      ")[:3]
    text += _diagnosed(diagnosis) + _why(why)
    return VerifierError(
        errno,
        "\n".join(text),
        program=program,
        log=log,
        source=source,
        around=around,
        function=function,
        insn=insn,
        instruction=None if step is None else step.text,
        registers=used,
        messages=facts.log.messages,
        reason=_either(why and why.text, diagnosis and diagnosis.reason),
        hint=_either(why and why.hint, diagnosis and diagnosis.suggestion),
        diagnosis=diagnosis,
    )


def _either(ours: str | None, kernels: str | None) -> str | None:
    return ours or kernels or None


def _insn(facts: "Facts", why: "Reason | None") -> int | None:
    """Return the instruction at fault."""
    if why is not None and why.whole:
        return None
    if why is not None and why.insn is not None:
        return why.insn
    if facts.step is not None:
        return facts.step.insn
    if facts.log.diagnosis is not None:
        return facts.log.diagnosis.insn
    found = re.search(r"\binsn (\d+)", "\n".join(facts.log.messages))
    return None if found is None else int(found[1])


def _why(why: "Reason | None") -> list[str]:
    if why is None:
        return []
    text = _wrapped("likely why: " if why.likely else "why: ", why.text, "  ")
    return text + _wrapped("hint: ", why.hint, "  ") if why.hint else text


def _diagnosed(diagnosis: "Diagnosis | None") -> list[str]:
    """Return the kernel's own words about it."""
    if diagnosis is None:
        return []
    text = _wrapped("the kernel: ", f"{diagnosis.category}: {diagnosis.title}", "  ")
    if diagnosis.reason:
        text += _wrapped("", diagnosis.reason, "      ")
    if diagnosis.suggestion:
        text += _wrapped("suggestion: ", diagnosis.suggestion, "      ")
    return text


def _where(
    source: "SourceLine | None",
    around: "tuple[SourceLine, ...]",
    function: str | None,
    program: str,
) -> list[str]:
    if source is None:
        return [] if function in {None, program} else [f"  in {function}()"]
    of = f", in {function}()" if function else ""
    text = [f"  at {source.file}:{source.line}{of}"]
    width = len(str(max(line.line for line in around))) if around else 0
    for line in around:
        mark = ">" if line.line == source.line else " "
        shown = f"    {mark} {line.line:{width}}  {line.text}"
        text.append(shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 3]}...")
    return text


def _registers(facts: "Facts") -> tuple[Register, ...]:
    """Return the registers that matter: those of the instruction and the complaint."""
    said = " ".join(facts.log.messages)
    named = re.findall(r"\bR(\d+)\b", said)
    step = facts.step
    if step is not None and not step.text.startswith("call"):
        read = step.text.partition(" = ")
        both = f"{step.text if '*' in read[0] else read[2] or step.text}"
        if re.match(r"\w+ \S*= ", step.text) and not read[1]:
            both = step.text  # r0 += r1 reads both
        named += re.findall(r"\b[rw](\d+)\b", both)
    found: list[Register] = []
    for number in dict.fromkeys(named):
        name = f"R{number}"
        state = facts.log.before.get(name)
        if number == "10" and len(found) > 0:
            continue
        if f"{name} !read_ok" in said:
            found.append(Register(name, "", "not written on this path"))
        elif state is not None:
            map_ = facts.map_of(name) if state.startswith("map_") else None
            meaning = registers.describe(state, facts.context, facts.map_name, map_)
            found.append(Register(name, state, meaning))
    return tuple(found[:_REGISTERS])


def _wrapped(label: str, text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        label + text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_on_hyphens=False,
    )


def useful_lines(log: str) -> tuple[str, ...]:
    """Return the last lines of a log, without its statistics."""
    lines = [line.rstrip() for line in log[-65536:].splitlines()]
    while lines and (not lines[-1] or lines[-1].startswith(_STATISTICS)):
        lines.pop()
    return tuple(line for line in lines[-_SAID_ALONE:] if line)
