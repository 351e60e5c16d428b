"""Reasons of complaints: the first pattern that fits, most telling ones first."""

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
    calls.RETURN,
    calls.CALLER,
    *flow.PATTERNS,
    *null.PATTERNS,
    *memory.PATTERNS,
    *structs.PATTERNS,
    *special.PATTERNS,
    *calls.PATTERNS,
    *loading.PATTERNS,
)

SEEN = frozenset(
    [
        "global-return",
        "global-caller",
        "reference-unreleased",
        "lock-held",
        "lock-calls",
        "lock-other",
        "too-large",
        "loop-infinite",
        "loop",
        "unreachable",
        "jump-range",
        "last-insn",
        "call-depth",
        "recursion",
        "tail-call-stack",
        "return-range",
        "return-stack",
        "null-dereference",
        "null-arithmetic",
        "null-argument",
        "null-type",
        "scalar-dereference",
        "pointer-kind",
        "map-value-bounds",
        "map-key-bounds",
        "memory-bounds",
        "packet-bounds",
        "size-unbounded",
        "size-zero",
        "size-zero-old",
        "offset-negative",
        "offset-unbounded",
        "pointer-math",
        "stack-combined",
        "stack-bounds",
        "stack-variable",
        "register-uninitialised",
        "map-read-only",
        "map-write-only",
        "read-only",
        "misaligned",
        "context-argument",
        "context-access",
        "context-modified",
        "socket-access",
        "struct-bounds",
        "struct-pointer-member",
        "struct-offset",
        "kernel-write",
        "special-field",
        "kptr-store",
        "pointer-arithmetic",
        "pointer-mix",
        "frame-pointer",
        "division",
        "shift",
        "rcu-nested",
        "timer-map",
        "iterator-state",
        "dynptr-state",
        "spin-lock-map",
        "special-offset",
        "lock-in-programs",
        "atomic-target",
        "helper-missing",
        "helper-not-allowed",
        "licence",
        "kfunc-not-allowed",
        "sleeps",
        "map-type",
        "argument-type",
        "release",
        "trusted",
        "kfunc-type",
        "constant",
        "argument-untyped",
        "unknown-instruction",
        "legacy-load",
        "attach-not-sleepable",
        "attach-not-modifiable",
        "sleepable-type",
    ]
)
"""Patterns that a log of a real kernel was explained by, each with a program that is
refused so (``tests/data/rejected``). The others are read out of the kernel's source: what
they say is likely, and is said to be."""


def find(messages: tuple[str, ...]) -> tuple[Pattern, re.Match[str]] | None:
    """Return the pattern that fits what the verifier said, and its match."""
    said = "\n".join(messages)
    for pattern in PATTERNS:
        match = re.search(pattern.expression, said)
        if match is not None:
            return pattern, match
    return None


def reason(facts: Facts) -> Reason | None:
    """Return why a program was refused; ``None`` where nobody knows."""
    found = find(facts.log.messages)
    if found is None:
        return None
    pattern, match = found
    return pattern.explain(match, facts)._replace(likely=pattern.name not in SEEN)
