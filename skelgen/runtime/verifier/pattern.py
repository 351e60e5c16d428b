"""The form of what is known about a complaint of the verifier."""

from __future__ import annotations

import re
from collections.abc import Callable

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.verifier.facts import Facts

if TYPE_CHECKING:
    from typing import TypeAlias


class Reason(Record):
    """The cause in one sentence, and the way out."""

    text: str
    hint: str = ""
    insn: int | None = None
    """The instruction it is about, where that is not the last one of the log."""
    whole: bool = False
    """It is about the whole program, and no instruction of it."""
    likely: bool = False
    """No kernel was seen to refuse a program for it yet; what its words mean is likely."""


Explain: TypeAlias = Callable[[re.Match[str], Facts], Reason]


class Pattern(Record):
    """A complaint that is known."""

    name: str
    expression: str
    """Found anywhere in the messages, which are joined by line feeds."""
    explain: Explain


def say(text: str, hint: str = "", *, whole: bool = False) -> Explain:
    """Return an explanation that is always the same.

    ``{1}`` is a group of the match, ``{helper}`` the function that is called,
    ``{type}`` what programs of this type are called.
    """

    def explain(match: re.Match[str], facts: Facts) -> Reason:
        groups = (match[0], *(group or "" for group in match.groups()))
        named = {"helper": facts.helper or "the function", "type": facts.type_name}
        return Reason(
            _tidy(text.format(*groups, **named)),
            _tidy(hint.format(*groups, **named)),
            whole=whole,
        )

    return explain


def _tidy(text: str) -> str:
    """Return a text without what an empty group leaves behind."""
    return " ".join(text.split()).rstrip(" .:,")


def at_insn(explain: Explain) -> Explain:
    """Return an explanation of the instruction that group 1 of the match names."""

    def explain_there(match: re.Match[str], facts: Facts) -> Reason:
        return explain(match, facts)._replace(insn=int(match[1]))

    return explain_there


def count(number: int, thing: str) -> str:
    """Return ``1 byte`` or ``2 bytes``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def known_size(match: re.Match[str], group: int) -> int:
    """Return a number of a match."""
    return int(match[group], 0)
