"""Names that a misspelt one may stand for: "did you mean ...?", for every error.

Both halves use it, for names of maps, programs, functions, sections, types. It is
called where something failed, so it may be slow, but not in proportion to the square
of what is looked through: a kernel has 100,000 functions.
"""

from operator import add

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST = 3
_LOOKED_AT = 64
_ALIKE = 0.65
"""How alike names have to be, from 0 to 1; 0.6 is what difflib takes."""
_APART = 0.12
"""How much less alike than the likest one the others may be."""
_SHORTEST_LONG = 10
"""Names of so many letters that are alike have three of them in a row in common, unless
every third letter is wrong."""
_LONGEST = 200
"""Longer names are not compared: nobody types them."""


def near_names(name: str, names: "Iterable[str]") -> list[str]:
    """Return up to three of ``names`` that are like ``name``, the likest first.

    Upper and lower case count as the same; ``name`` itself is left out.
    """
    wanted = name.lower()
    if not 0 < len(wanted) <= _LONGEST:
        return []
    pairs = {wanted[at : at + 2] for at in range(len(wanted) - 1)} or {wanted}
    letters = sorted(wanted)  # 'xpd' shares no pair with 'xdp'
    shared: list[tuple[int, int, str]] = []
    for other in _candidates(wanted, set(names)):
        if other != name and len(wanted) // 3 <= len(other) <= 3 * len(wanted):
            lower = other.lower()
            there = map(add, lower, lower[1:]) if len(wanted) > 1 else lower
            both = len(pairs.intersection(there))
            if both or (len(lower) == len(wanted) and sorted(lower) == letters):
                shared.append((-both, abs(len(other) - len(name)), other))
    if not shared:
        return []
    try:
        from difflib import SequenceMatcher
    except (ImportError, OSError):  # rights were dropped, or no fd is left
        return []
    matcher = SequenceMatcher(None, "", wanted, autojunk=False)
    alike: list[tuple[float, str]] = []
    for _, _, other in sorted(shared)[:_LOOKED_AT]:
        matcher.set_seq1(other.lower())
        ratio = matcher.ratio()
        if ratio >= _ALIKE:
            alike.append((-ratio, other))
    alike.sort()
    return [other for less, other in alike[:_MOST] if less <= alike[0][0] + _APART]


def _candidates(wanted: str, names: "set[str]") -> "set[str]":
    """Return the names that share three letters in a row with a lower-case one.

    They are looked for in one long text: a third of the time for 56,000 names. For a
    short one all are returned.
    """
    text = "\0".join(("", *names, ""))
    lower = text.lower()
    if len(wanted) < _SHORTEST_LONG or len(lower) != len(text):
        return names
    found: set[str] = set()
    for at in range(len(wanted) - 2):
        three = wanted[at : at + 3]
        where = lower.find(three)
        while where >= 0:
            end = lower.find("\0", where)
            found.add(text[lower.rfind("\0", 0, where) + 1 : end])
            where = lower.find(three, end)
    return found & names


def did_you_mean(name: str, names: "Iterable[str]") -> str:
    """Return ``did you mean 'a' or 'b'?``, empty where nothing is like ``name``."""
    near = [f"'{other}'" for other in near_names(name, names)]
    if not near:
        return ""
    *first, last = near
    return f"did you mean {', '.join(first)}{' or ' if first else ''}{last}?"


def or_near(message: str, name: str, names: "Iterable[str]") -> str:
    """Return ``message``, and after a semicolon what ``name`` may stand for."""
    hint = did_you_mean(name, names)
    return f"{message}; {hint}" if hint else message
