"""What is behind a complaint: the first pattern that fits, most telling ones first."""

import re

from skelgen.runtime.verifier import (
    calls,
    flow,
    loading,
    memory,
    null,
    special,
    structs,
)
from skelgen.runtime.verifier.facts import Facts
from skelgen.runtime.verifier.pattern import Pattern, Reason

PATTERNS: tuple[Pattern, ...] = (
    calls.CALLER,
    *flow.PATTERNS,
    *null.PATTERNS,
    *memory.PATTERNS,
    *structs.PATTERNS,
    *special.PATTERNS,
    *calls.PATTERNS,
    *loading.PATTERNS,
)


def find(messages: tuple[str, ...]) -> tuple[Pattern, re.Match[str]] | None:
    """Return the pattern that fits what the verifier said, and its match."""
    said = "\n".join(messages)
    for pattern in PATTERNS:
        match = re.search(pattern.expression, said)
        if match is not None:
            return pattern, match
    return None


def reason(facts: Facts) -> Reason | None:
    """Return why a program was refused; ``None`` where nobody knows.

    What the kernel itself has to say about it (Linux 7.3) is used where no pattern
    fits.
    """
    found = find(facts.log.messages)
    if found is not None:
        pattern, match = found
        return pattern.explain(match, facts)
    diagnosis = facts.log.diagnosis
    if diagnosis is None:
        return None
    text = (diagnosis.reason or diagnosis.title).rstrip(".")
    return Reason(_lower(text), _lower(diagnosis.suggestion.rstrip(".")))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
