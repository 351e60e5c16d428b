"""Accesses outside of what the verifier knows to be there."""

import re

from skelgen.runtime.verifier.facts import Facts
from skelgen.runtime.verifier.pattern import Pattern, Reason, count, known_size, say
from skelgen.runtime.verifier.registers import bounds, describe, fields, number

_KINDS = (
    ("map_value", "a map value"),
    ("fp", "the stack"),
    ("pkt", "the packet"),
)


def _place(facts: Facts, register: str) -> str:
    """Return what a register points into, in words of the object."""
    variable = facts.global_of(register)
    if variable is not None:
        return f"'{variable}'"
    map_ = facts.map_of(register)
    if map_ is not None:
        return f"a value of map '{map_}'"
    state = facts.log.before.get(register, "")
    for kind, words in _KINDS:
        if state.startswith(kind):
            return words
    return f"what {facts.name_of(register)} points to"


def _accessed(facts: Facts) -> str:
    access = facts.access
    if access is None:
        return "R0"
    return access[1]


def _map_value(match: re.Match[str], facts: Facts) -> Reason:
    size, offset, length = (known_size(match, group) for group in (1, 2, 3))
    register = _accessed(facts)
    place = _place(facts, register)
    variable = fields(facts.log.before.get(register, ""))
    low, high = bounds(variable)
    if high is not None and low != high and (offset < size):
        return _index_too_large(facts, register, size, high)
    if facts.helper:
        return Reason(
            f"{facts.helper}() is given {count(length, 'byte')} at offset {offset} of a"
            f" map value, and the value has {count(size, 'byte')}",
            "give it no more than sizeof the value",
        )
    if place.startswith("'"):
        place = f"the data of {place}"
    return Reason(
        f"{count(length, 'byte')} at offset {offset} of {place} are {facts.verb}, and it"
        f" has {count(size, 'byte')}",
        "check the index against the number of elements, or the declared value type",
    )


def _index_too_large(facts: Facts, register: str, size: int, high: int) -> Reason:
    return Reason(
        f"the offset into {_place(facts, register)} may be up to {high}, and it has"
        f" {count(size, 'byte')}",
        "check the index against the number of elements before the access",
    )


def _unbounded(match: re.Match[str], facts: Facts) -> Reason:
    place = _place(facts, match[1])
    return Reason(
        f"the offset into {place} is a number without an upper bound",
        "check the index before the access: if (index >= COUNT) return 0; (an unsigned"
        " index, and the same variable in check and access)",
    )


def _negative(match: re.Match[str], facts: Facts) -> Reason:
    place = _place(facts, match[1])
    return Reason(
        f"the offset into {place} may be negative",
        "use an unsigned index, or check that it is 0 or more before the access",
    )


def _out_of_range(match: re.Match[str], facts: Facts) -> Reason:
    place = _place(facts, match[1])
    end = "before its start" if match[2] == "min" else "behind its end"
    return Reason(
        f"an access to {place} may be {end}",
        "check the index against the number of elements before the access",
    )


def _size_unbounded(match: re.Match[str], facts: Facts) -> Reason:
    helper = facts.helper or "the function"
    low = "may be negative" if match[2] == "min value is negative" else "has no bound"
    return Reason(
        f"the size given to {helper}() as argument {match[1]} {low}",
        "check it before the call: if (size > sizeof(buffer)) return 0; (unsigned, the"
        " same variable), or mask it",
    )


def _zero_size(match: re.Match[str], facts: Facts) -> Reason:
    return Reason(
        f"the size given to {facts.helper or 'the function'}() as argument {match[1]}"
        " may be 0, which it does not take",
        "check it before the call: if (size == 0 || size > sizeof(buffer)) return 0;",
    )


def _memory(match: re.Match[str], facts: Facts) -> Reason:
    size, offset, length = (known_size(match, group) for group in (1, 2, 3))
    register = _accessed(facts)
    name = f"what {facts.name_of(register)} points to"
    if "key_size" in match[0]:
        name = "a map key"
    elif facts.helper:
        name = "the memory"
    return Reason(
        f"{count(length, 'byte')} at offset {offset} of {name} are {facts.verb}, and it"
        f" has {count(size, 'byte')}",
        "stay within the size that was asked for, or ask for more",
    )


def _packet(match: re.Match[str], facts: Facts) -> Reason:
    offset, length = known_size(match, 1), known_size(match, 2)
    reach = number(match[3]) or 0
    if reach <= 0:
        known = "nothing was compared with data_end before"
    else:
        known = f"only {count(reach, 'byte')} were found to be there"
    helper = f" by {facts.helper}()" if facts.helper else ""
    start = f"bytes {offset} to {offset + length - 1}"
    if length <= 1:
        start = f"byte {offset}"
    return Reason(
        (
            f"{start} of the packet are {facts.verb}{helper}, and {known}"
            if length > 1
            else f"{start} of the packet is {facts.verb}{helper}, and {known}"
        ),
        "compare first: if ((void *)(header + 1) > (void *)(long)ctx->data_end) return"
        " ...; (with the same pointer)",
    )


def _stack(match: re.Match[str], facts: Facts) -> Reason:
    offset, size = int(match["offset"]), int(match["size"])
    if offset < -512:
        return Reason(
            f"{count(-offset, 'byte')} below the frame pointer are accessed, and the"
            " stack has 512",
            "keep large variables in a per-CPU array map of one element",
        )
    if offset + size > 0:
        return Reason(
            f"{count(size, 'byte')} at fp{offset:+d} are accessed, which is above the"
            " stack of the function",
            "check the index against the number of elements",
        )
    return Reason(
        f"the {facts.verb} access to the stack at fp{offset:+d}, {count(size, 'byte')},"
        " is not within a variable",
        "check the index against the number of elements",
    )


def _stack_variable(match: re.Match[str], facts: Facts) -> Reason:
    named = re.search(r"R\d+", match.string[match.start() :])
    register = named[0] if named is not None else _accessed(facts)
    state = facts.log.before.get(register)
    if state is None or not state.startswith("fp("):
        where = "at an offset that is not bounded enough"
    else:
        address = describe(state, "", str).removeprefix("an address on the stack, ")
        where = f"at {address}, which may be outside of it"
    return Reason(
        f"a variable on the stack is accessed {where}",
        "check the index against the number of elements before the access",
    )


def _combined(match: re.Match[str], facts: Facts) -> Reason:
    names = [] if facts.lines is None else [name for _, name in facts.lines.functions()]
    of = f" ({', '.join(f'{name}()' for name in names)})" if 1 < len(names) < 6 else ""
    return Reason(
        f"{count(int(match[1]), 'function')} that call each other take {match[2]} bytes"
        f" of stack together, and there are 512{of}",
        "keep large variables in a per-CPU array map of one element",
        whole=True,
    )


_NEIGHBOUR = (
    "set it on every path before; inside a struct, zero it whole: struct key key = {};"
    " and __builtin_memset() for its padding"
)


def _uninitialised_stack(match: re.Match[str], facts: Facts) -> Reason:
    helper = facts.helper
    who = f"{helper}() reads" if helper else "the program reads"
    base = number(match["offset"]) or 0
    more = number(match["more"]) or 0
    return Reason(
        f"{who} the stack at fp{base + more:+d}, where nothing was written on this path",
        f"{_NEIGHBOUR}",
    )


def _read_only(match: re.Match[str], facts: Facts) -> Reason:
    del match
    access = facts.access
    register = "R1" if access is None else access[1]
    variable = facts.global_of(register)
    if variable is not None:
        return Reason(
            f"'{variable}' is written, and programs may only read it",
            "constants (.rodata) are set from user space before load; drop the const to"
            " let programs write",
        )
    map_ = facts.map_of(register)
    name = f"map '{map_}'" if map_ else "the map"
    return Reason(
        f"{name} is written, and programs may only read it",
        "it is frozen or was made with BPF_F_RDONLY_PROG",
    )


def _pointer_math(match: re.Match[str], facts: Facts) -> Reason:
    kind = (match["a"] or match["d"] or match["e"] or "").replace("_", " ")
    value = number(match["c"] or match["f"] or match["b"])
    amount = "a number without a lower bound" if value is None else f"{value}"
    hint = "check the number first: an unsigned variable, compared with the size"
    del facts
    return Reason(
        f"{amount} may be added to the {kind} pointer, which leaves all bounds", hint
    )


def _unreadable(match: re.Match[str], facts: Facts) -> Reason:
    register = f"r{match[1]}"
    step = facts.step
    if register == "r0" and step is not None and step.text == "exit":
        return Reason(
            "the program or function ends without a return value",
            "return a value on every path",
        )
    if step is not None and step.text.startswith("call"):
        return Reason(
            f"{facts.helper or 'the function'}() takes {register} as argument"
            f" {match[1]}, and nothing was written to it on this path",
            "pass all arguments; after a call r1 to r5 are gone",
        )
    return Reason(
        f"{register} is read, and nothing was written to it on this path",
        "set the variable on every path; in assembly, r1 to r5 are gone after a call",
    )


PATTERNS = (
    Pattern(
        "map-value-bounds",
        r"invalid access to map value, value_size=(\d+) off=(-?\d+) size=(\d+)",
        _map_value,
    ),
    Pattern(
        "map-key-bounds",
        r"invalid access to map key, key_size=(\d+) off=(-?\d+) size=(\d+)",
        _memory,
    ),
    Pattern(
        "memory-bounds",
        r"invalid access to memory, mem_size=(\d+) off=(-?\d+) size=(\d+)",
        _memory,
    ),
    Pattern(
        "packet-bounds",
        r"invalid access to packet, off=(-?\d+) size=(\d+), R\d+\(.*?r=(-?\d+)",
        _packet,
    ),
    Pattern(
        "packet-range",
        r"R(\d+) offset is outside of the packet",
        say(
            "the packet is accessed behind what was compared with data_end",
            "compare the end of the access with ctx->data_end first",
        ),
    ),
    Pattern(
        "size-unbounded",
        r"R(\d+) (min value is negative|unbounded memory access)(?:,| )\s*"
        r"(?:either use unsigned or 'var|use 'var)",
        _size_unbounded,
    ),
    Pattern(
        "size-zero",
        r"R(\d+) invalid zero-sized read",
        _zero_size,
    ),
    Pattern(
        "size-zero-old",
        r"(?:^|\n)invalid zero-sized read",
        say(
            "the size given to {helper}() may be 0, which it does not take",
            "check before the call that it is not 0",
        ),
    ),
    Pattern("offset-negative", r"(R\d+) min value is negative", _negative),
    Pattern("offset-unbounded", r"(R\d+) unbounded memory access", _unbounded),
    Pattern(
        "offset-range",
        r"(R\d+) (min|max) value is outside of the (?:allowed memory|array) range",
        _out_of_range,
    ),
    Pattern(
        "pointer-math",
        r"(?:math between (?P<a>\S+) pointer and (?P<b>.+?) is not allowed"
        r"|value (?P<c>-?\d+) makes (?P<d>\S+) pointer be out of bounds"
        r"|(?P<e>\S+) pointer offset (?P<f>-?\d+) is not allowed)",
        _pointer_math,
    ),
    Pattern(
        "stack-combined",
        r"combined stack size of (\d+) calls is (\d+)\. Too large",
        _combined,
    ),
    Pattern(
        "stack-size",
        r"stack size (\d+).* (?:is too large|exceeds)",
        say(
            "a function takes {1} bytes of stack, and there are 512",
            "keep large variables in a per-CPU array map of one element",
            whole=True,
        ),
    ),
    Pattern(
        "stack-uninitialised",
        r"invalid (?:indirect )?(?:access to|read from) stack (?:R\d+ )?(?:off )?"
        r"(?P<offset>-?\d+)\+(?P<more>\d+) size (?P<size>\d+)",
        _uninitialised_stack,
    ),
    Pattern(
        "stack-bounds",
        r"invalid(?: \w+)*? stack (?:type )?(?:R\d+ )?off=(?P<offset>-?\d+)"
        r" (?:access_)?size=(?P<size>\d+)",
        _stack,
    ),
    Pattern(
        "stack-variable",
        r"invalid (?:unbounded )?variable-offset|variable stack (?:read|access)"
        r"|variable offset stack pointer|invalid variable stack",
        _stack_variable,
    ),
    Pattern(
        "register-uninitialised",
        r"R(\d+) !read_ok",
        _unreadable,
    ),
    Pattern("map-read-only", r"write into map forbidden", _read_only),
    Pattern(
        "map-write-only",
        r"read from map forbidden",
        say("a map is read that programs may only write (BPF_F_WRONLY_PROG)"),
    ),
    Pattern(
        "read-only",
        r"(R\d+) cannot write into (\w+)|cannot write into (packet)"
        r"|may write into memory pointed by (R\d+) type=rdonly",
        say(
            "memory that programs may only read is written",
            "copy it to a variable on the stack, and write there",
        ),
    ),
    Pattern(
        "misaligned",
        r"misaligned (\w*) ?access off .*?size (\d+)",
        say(
            "{2} bytes are accessed at an address that is no multiple of {2}",
            "align the struct member, or copy it with __builtin_memcpy()",
        ),
    ),
)
