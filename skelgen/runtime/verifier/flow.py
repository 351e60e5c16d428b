"""The way through a program: loops, references, locks, returns, tail calls."""

import re

from skelgen.runtime.verifier.facts import Facts, called
from skelgen.runtime.verifier.null import release_of
from skelgen.runtime.verifier.pattern import Pattern, Reason, at_insn, say
from skelgen.runtime.verifier.registers import plain, span

_LOOP_HINT = (
    "bound it by a constant, or use bpf_for() (Linux 6.4), bpf_loop() (5.17) or can_loop"
    " (6.9)"
)
_TNUM = re.compile(r"\((0x[0-9a-f]+); (0x[0-9a-f]+)\)")
_BOUND = re.compile(r"(smin|smax)=(-?\d+)")
_RANGE = re.compile(r"\[(-?\d+), (-?\d+)\]")


def _reference(match: re.Match[str], facts: Facts) -> Reason:
    insn = int(match[1])
    step = facts.alloc(insn)
    taker = "" if step is None else called(step)
    name = facts.variable(step)
    line = facts.source(insn)
    what = f"'{name}'" if name else f"what {taker}() gave" if taker else "a reference"
    where = f" (line {line.line})" if line is not None else ""
    release = release_of(taker)
    by = f"{taker}(){where}" if taker else f"instruction {insn}{where}"
    if re.match(r"bpf_iter_\w+_new$", taker):
        return Reason(
            f"the iterator that {by} made is not destroyed on this path",
            f"call {release} on every path, or use bpf_for() and bpf_for_each(), which do",
        )
    if step is not None and "dynptr" in taker:
        what = "the dynptr"
    text = f"{what} was acquired by {by} and is not released on this path"
    if what.startswith("what"):
        text = f"{what}{where} is not released on this path"
    way = f"call {release} on every path" if release else "release it on every path"
    if facts.helper == "bpf_tail_call":
        way += ", before the tail call"
    return Reason(text, f"{way}, those of errors too")


_HELD = {
    "bpf_spin_lock": ("a bpf_spin_lock is held", "bpf_spin_unlock()"),
    "bpf_spin_unlock": ("a bpf_spin_lock is held", "bpf_spin_unlock()"),
    "bpf_rcu_read_lock": ("an RCU read section is open", "bpf_rcu_read_unlock()"),
    "bpf_rcu_read_unlock": ("an RCU read section is open", "bpf_rcu_read_unlock()"),
    "bpf_preempt_disable": ("preemption is off", "bpf_preempt_enable()"),
    "bpf_preempt_enable": ("preemption is off", "bpf_preempt_enable()"),
    "bpf_local_irq_save": ("interrupts are off", "bpf_local_irq_restore()"),
    "bpf_local_irq_restore": ("interrupts are off", "bpf_local_irq_restore()"),
}


def _held(match: re.Match[str], facts: Facts) -> Reason:
    name = next(group for group in match.groups() if group)
    state, ends = _HELD.get(name, ("a lock is held", "the function that ends it"))
    step = facts.step
    tail = step is not None and step.text.startswith("call")
    where = "where the tail call leaves" if tail else "where the program ends"
    return Reason(f"{state} {where}", f"call {ends} on every path, those of errors too")


def _second_lock(match: re.Match[str], facts: Facts) -> Reason:
    del match, facts
    return Reason(
        "a second bpf_spin_lock is taken while one is held",
        "release the first before: call bpf_spin_unlock()",
    )


def _locked_call(match: re.Match[str], facts: Facts) -> Reason:
    helper = facts.helper
    if helper == "bpf_spin_lock":
        return _second_lock(match, facts)
    return Reason(
        f"{helper + '()' if helper else 'a function'} is called while a bpf_spin_lock is"
        " held",
        "call it before bpf_spin_lock() or behind bpf_spin_unlock(), and keep the result"
        " in a variable",
    )


def _range(text: str) -> str | None:
    """Return a range of return values in words."""
    found = _RANGE.search(text)
    if found is not None:
        low, high = int(found[1]), int(found[2])
    else:
        tnum = _TNUM.search(text)
        if tnum is None:
            return None
        low, high = int(tnum[1], 16), int(tnum[1], 16) | int(tnum[2], 16)
    return plain(low) if low == high else f"{plain(low)} to {plain(high)}"


def _return(match: re.Match[str], facts: Facts) -> Reason:
    where, has, wanted = match[1], match[2], match[3]
    allowed = _range(wanted) or wanted
    low, high = re.search(r"smin=(-?\d+)", has), re.search(r"smax=(-?\d+)", has)
    tnum = _TNUM.search(has)
    if low or high:
        value = span(dict(_BOUND.findall(has)))
    elif tnum is not None and tnum[2] == "0x0":
        value = plain(int(tnum[1], 16))
    else:
        value = "any number"
    who = f"programs of {facts.type_name} may return"
    if "callback" in where:
        who = "this callback may return"
    elif "subprogram" in where:
        who = "this function may return"
    return Reason(
        f"{value} is returned, and {who} {allowed}",
        "return a constant of that range, or check the value before",
    )


def _too_large(match: re.Match[str], facts: Facts) -> Reason:
    del facts
    return Reason(
        f"the verifier gave up after {int(match[1]):,} instructions on all paths"
        " together",
        f"shorten the loop it was in, {_LOOP_HINT}; or split the program with tail calls",
    )


def _loop(match: re.Match[str], facts: Facts) -> Reason:
    starts = {} if facts.lines is None else dict(facts.lines.functions())
    called_function = starts.get(int(match[2]))
    if called_function is not None and facts.lines is not None:
        if facts.lines.function(int(match[1])) == called_function:
            text = f"{called_function}() calls itself, and calls nest 8 deep at most"
        else:
            text = f"{called_function}() is called again by what it calls"
        return Reason(text, "make it a loop")
    return Reason(
        "the program has a loop, which takes Linux 5.3 and CAP_BPF",
        "unroll it: #pragma unroll",
    )


def _recursive(match: re.Match[str], facts: Facts) -> Reason:
    del facts
    one, other = match[1], match[2]
    again = "calls itself" if one == other else f"calls {other}, which calls it again"
    return Reason(f"{one} {again}", "make it a loop")


def _depth(match: re.Match[str], facts: Facts) -> Reason:
    step = facts.step
    if step is not None and facts.lines is not None:
        found = re.match(r"call pc([+-]\d+)", step.text)
        own = facts.lines.function(step.insn)
        target = facts.lines.function(step.insn + int(found[1]) + 1) if found else None
        if own is not None and own == target:
            return Reason(
                f"{own}() calls itself, and calls nest {int(match[1]) - 1} deep at most",
                "make it a loop",
            )
    return Reason(
        f"functions call each other {match[1]} deep, and {int(match[1]) - 1} is the most",
        "let the compiler inline some: static __always_inline",
    )


PATTERNS = (
    Pattern(
        "reference-unreleased",
        r"Unreleased reference id=\d+ alloc_insn=(\d+)",
        _reference,
    ),
    Pattern(
        "lock-held",
        r"(?:BPF_EXIT instruction .*|tail_call|bpf_throw|\S+) cannot be used inside"
        r" (bpf_[a-z_]+?)(?:-ed|d)? region"
        r"|(bpf_spin_unlock|bpf_rcu_read_unlock|bpf_preempt_enable"
        r"|bpf_local_irq_restore) is missing"
        r"|\d+ (bpf_\w+?)s? (?:is|are) missing",
        _held,
    ),
    Pattern(
        "lock-calls",
        r"function calls are not allowed while holding a lock",
        _locked_call,
    ),
    Pattern(
        "lock-twice",
        r"Locking two bpf_spin_locks are not allowed",
        _second_lock,
    ),
    Pattern(
        "lock-other",
        r"bpf_spin_unlock (?:without taking a lock|of different lock)"
        r"|unmatched rcu read unlock|unmatched attempt to enable preemption",
        say(
            "what is unlocked here was not locked before",
            "lock and unlock the same thing, once, on every path",
        ),
    ),
    Pattern(
        "too-large", r"BPF program is too large\. Processed (\d+) insn", _too_large
    ),
    Pattern(
        "too-many-jumps",
        r"The sequence of (\d+) jumps is too complex",
        say(
            "more than {1} branches wait to be verified",
            f"simplify the conditions, or shorten the loop: {_LOOP_HINT}",
        ),
    ),
    Pattern(
        "loop-infinite",
        r"infinite loop detected at insn (\d+)",
        at_insn(
            say(
                "a loop goes round without changing anything that the verifier knows, and"
                " so may never end",
                _LOOP_HINT,
            )
        ),
    ),
    Pattern(
        "loop",
        r"back-edge from insn (\d+) to (\d+)",
        at_insn(_loop),
    ),
    Pattern(
        "may-goto",
        r"may_goto\b",
        say("may_goto (can_loop) is used where it cannot be"),
    ),
    Pattern(
        "unreachable",
        r"unreachable insn (\d+)",
        at_insn(
            say(
                "no path comes to this instruction",
                "it is behind an exit or an endless loop: look for undefined behaviour"
                " that the compiler made a trap of, and for wrong assembly",
            )
        ),
    ),
    Pattern(
        "jump-range",
        r"jump out of range from insn (\d+) to (-?\d+)",
        at_insn(say("a jump leaves the program or the function", "see the assembly")),
    ),
    Pattern(
        "jump-middle",
        r"jump into the middle of ldimm64 insn (\d+)",
        at_insn(
            say("a jump goes into the middle of a 64-bit load", "see the assembly")
        ),
    ),
    Pattern(
        "last-insn",
        r"last insn is not an exit or jmp",
        say(
            "the last instruction of a function neither returns nor jumps",
            "let every function end with a return; the compiler drops it behind undefined"
            " behaviour",
            whole=True,
        ),
    ),
    Pattern(
        "call-destination",
        r"call to invalid destination|invalid insn idx",
        say("a call goes to where no function starts", "see the assembly"),
    ),
    Pattern("call-depth", r"the call stack of (\d+) frames is too deep", _depth),
    Pattern(
        "recursion",
        r"recursive call from (\S+) to (\S+)",
        _recursive,
    ),
    Pattern(
        "too-many-functions",
        r"too many subprograms",
        say("the program has more than 256 functions", whole=True),
    ),
    Pattern(
        "tail-call-reference",
        r"tail_call would lead to reference leak",
        say(
            "a tail call leaves with a reference that is still held",
            "release it before the tail call",
        ),
    ),
    Pattern(
        "tail-call-stack",
        r"tail_calls are not allowed when call stack of previous frames is (\d+) bytes",
        say(
            "a tail call from a function whose callers use {1} bytes of stack, and 256"
            " are the most",
            "make the caller's variables smaller, or tail call from the program itself",
            whole=True,
        ),
    ),
    Pattern(
        "tail-call-function",
        r"tail_call is (?:only allowed in functions that return|not allowed in subprogs)"
        r"|tail_calls? (?:are|is) not allowed in|tail_call abusing map_ptr"
        r"|cannot tail call within exception cb",
        say(
            "a tail call where none is allowed",
            "tail call from the program itself, or from functions that return int, with"
            " the JIT on",
        ),
    ),
    Pattern(
        "return-range",
        r"(At program exit|At subprogram exit|At \w* ?callback return|In async callback)"
        r" the register R0 (.*?)\s*should have been in (.*)",
        _return,
    ),
    Pattern(
        "return-kind",
        r"(At program exit|At subprogram exit|In async callback)? ?(?:the register )?R0"
        r" (?:is )?not a (?:known value|scalar value|scalar)(?: \((\S+)\))?",
        say(
            "something is returned that is no number the verifier knows: {2}",
            "return a constant, or a number that was checked",
        ),
    ),
    Pattern(
        "return-stack",
        r"cannot return stack pointer to the caller",
        say(
            "a function returns the address of a variable on its stack",
            "let the caller pass the address of its own",
        ),
    ),
    Pattern(
        "exception",
        r"exception (?:cb|callback)|bpf_throw",
        say(
            "an exception or its callback is used in a way that is not allowed: {helper}",
            "one callback a program, __exception_cb(name), which takes and returns a u64"
            " and is called by bpf_throw() alone",
        ),
    ),
)
