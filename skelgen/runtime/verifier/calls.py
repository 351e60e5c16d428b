"""Calls: of helpers, of kernel functions, of the object's own functions."""

import re

from skelgen.model.enums import MapType, ProgType
from skelgen.runtime.insns.poison import POISON, POISON_KFUNC, POISON_MAP
from skelgen.runtime.verifier.facts import Facts
from skelgen.runtime.verifier.pattern import Pattern, Reason, say

_MEMORY = {
    "fp": "the stack",
    "pkt": "the packet",
    "pkt_meta": "the packet's metadata",
    "map_key": "a map key",
    "map_value": "a map value",
    "mem": "memory",
    "rdonly_mem": "read-only memory",
    "ringbuf_mem": "a ring buffer record",
    "alloc_mem": "a ring buffer record",
    "buf": "a buffer",
    "rdonly_buf": "a read-only buffer",
    "trusted_ptr_": "a kernel struct that the kernel vouches for",
    "rcu_ptr_": "a kernel struct under RCU",
    "ptr_": "a kernel struct",
    "map_ptr": "a map",
    "ctx": "the context",
    "sock": "a socket",
    "sock_common": "a socket",
    "tcp_sock": "a TCP socket",
    "xdp_sock": "an XDP socket",
    "scalar": "a number",
    "inv": "a number",
    "func": "a function",
    "arena": "the arena",
    "dynptr_ptr": "a dynptr",
}


_CALLERS = 6
"""Program types that a text names."""
_NO_MEMORY = frozenset({"a number", "the context", "a map"})


def _words(kinds: str) -> str:
    names: list[str] = []
    for kind in re.split(r"[,\s]+", kinds.strip()):
        word = _MEMORY.get(kind, kind)
        if word and word not in names:
            names.append(word)
    if kinds.startswith("fp") and len(names) > 1:
        names = ["memory", *(name for name in names if name in _NO_MEMORY)]
    if len(names) > 1:
        return f"{', '.join(names[:-1])} or {names[-1]}"
    return "".join(names)


def _poisoned(match: re.Match[str], facts: Facts) -> Reason:
    code = int(match[1])
    if code == POISON:
        step = facts.step
        asked = None
        if step is not None and facts.missing is not None:
            asked = facts.missing(step.insn)
        return Reason(
            asked or "a CO-RE relocation has no answer in the target's BTF",
            "guard it: bpf_core_field_exists(), bpf_core_type_exists() or"
            " bpf_core_enum_value_exists()",
        )
    if POISON_KFUNC <= code < POISON_KFUNC + len(facts.names.externs):
        name = facts.names.externs[code - POISON_KFUNC]
        return Reason(
            f"kernel function '{name}' is called, and this kernel does not have it",
            f"guard the call: if (bpf_ksym_exists({name}))",
        )
    if POISON_MAP <= code < POISON_MAP + len(facts.names.all_maps):
        name = facts.names.all_maps[code - POISON_MAP]
        return Reason(
            f"map '{name}' is used, and was not made: its autocreate is off",
            "turn it on, or keep the program from the map with a constant in .rodata",
        )
    return Reason(
        f"helper {code} is called, which this kernel does not have",
        "it is newer than this kernel, or the number is wrong",
    )


def _not_allowed(match: re.Match[str], facts: Facts) -> Reason:
    name = match[1] if match[1].startswith("bpf_") else f"bpf_{match[1]}"
    text = f"this kernel does not let programs of {facts.type_name} call {name}()"
    try:
        own = ProgType(facts.program_type).name.lower()
    except ValueError:
        own = "TYPE"
    lists = f"'skelgen features --helpers {own}' lists what such programs may call"
    answer = facts.ask_helper and facts.ask_helper(name, int(match[2]))
    if not answer:
        return Reason(text, lists)
    callers, why = answer
    if own in callers:
        return Reason(
            f"{text}, though others of type {own}",
            "it depends on what they attach to, or on whether they are sleepable",
        )
    if callers:
        shown = ", ".join(callers[:_CALLERS])
        more = (
            f" and {len(callers) - _CALLERS} others" if len(callers) > _CALLERS else ""
        )
        return Reason(f"{text}; it does those of type {shown}{more}", lists)
    return Reason(f"{text}, nor any others: {why}", lists)


def _gpl(match: re.Match[str], facts: Facts) -> Reason:
    del match
    helper = facts.helper
    who = f"{helper}() is" if helper else "a function is called that is"
    return Reason(
        f"{who} for programs with a licence compatible with the GPL alone, and this"
        f" one's is '{facts.license}'",
        'char LICENSE[] SEC("license") = "GPL"; or "Dual BSD/GPL"',
    )


def _kfunc_not_allowed(match: re.Match[str], facts: Facts) -> Reason:
    return Reason(
        f"kernel function {match[1]}() is not for programs of {facts.type_name}",
        "the kernel registers each of its functions for some program types",
    )


def _sleeps(match: re.Match[str], facts: Facts) -> Reason:
    named = next((group for group in match.groups() if group), "") or facts.helper
    where = "this program may not"
    if "rcu" in match[0]:
        where = "it is called inside an RCU read section"
    elif "preempt" in match[0] or "IRQ" in match[0]:
        where = "it is called with preemption or interrupts off"
    sleepable = {
        "fentry": "fentry.s",
        "fexit": "fexit.s",
        "lsm": "lsm.s",
        "iter": "iter.s",
        "uprobe": "uprobe.s",
        "kprobe": "uprobe.s",
    }.get(facts.section.partition("/")[0])
    hint = (
        f'make it sleepable: SEC("{sleepable}/...")'
        if sleepable and where.startswith("this program")
        else "sleepable programs are fentry.s, fexit.s, lsm.s, iter.s, uprobe.s and"
        " syscall ones"
    )
    return Reason(f"{named or 'a function'}() may sleep, and {where}", hint)


def _argument_type(match: re.Match[str], facts: Facts) -> Reason:
    register, given, wanted = match[1], match[2], match[3]
    return Reason(
        (
            f"{facts.helper or 'the function'}() wants a pointer to {_words(wanted)} as"
            f" argument {register}, and is given {_words(given)}"
            if "scalar" not in wanted
            else f"{facts.helper or 'the function'}() wants {_words(wanted)} as argument"
            f" {register}, and is given {_words(given)}"
        ),
        _argument_hint(given, wanted),
    )


def _argument_hint(given: str, wanted: str) -> str:
    if wanted.startswith(("ringbuf_mem", "alloc_mem")):
        return "pass what bpf_ringbuf_reserve() returned"
    if given in {"scalar", "inv"} and wanted.startswith("fp"):
        return "pass the address of a variable: &key"
    if given in {"scalar", "inv"}:
        return "a pointer that was released, or cast and calculated with, is a number"
    if given in {"ctx", "map_ptr"} or given.startswith("ptr_"):
        return "copy the data to a variable on the stack, and pass its address"
    return ""


def _map_type(match: re.Match[str], facts: Facts) -> Reason:
    try:
        kind = f"BPF_MAP_TYPE_{MapType(int(match[1])).name}"
    except ValueError:
        kind = f"type {match[1]}"
    name = None
    for register in ("R1", "R2", "R3"):
        if facts.log.before.get(register, "").startswith("map_ptr"):
            name = facts.map_of(register)
            break
    which = f"map '{name}' is a {kind}, which" if name else f"a {kind} is what"
    return Reason(
        f"{which} {match[2]}() does not work on",
        "use a map of the type that the helper is for",
    )


def _trusted(match: re.Match[str], facts: Facts) -> Reason:
    number = int(match[1] or match[2] or 0)
    argument = number if match[1] else number + 1
    return Reason(
        f"{facts.helper or 'the kernel function'}() wants a pointer that the kernel"
        f" vouches for as argument {argument}, and is given another",
        "pass an argument of the program, or what a kernel function returned; what was"
        " read from a struct may be gone (hold bpf_rcu_read_lock(), or acquire it)",
    )


def _release(match: re.Match[str], facts: Facts) -> Reason:
    del match
    return Reason(
        f"{facts.helper or 'the function'}() gives back what was acquired, and is given"
        " something that was not, or no longer is",
        "release what the acquiring function returned, once, on every path",
    )


def _global_caller(match: re.Match[str], facts: Facts) -> Reason:
    name = match[1] or ""
    step = facts.step
    if not name and step is not None and facts.lines is not None:
        found = re.match(r"call pc([+-]\d+)", step.text)
        if found is not None:
            target = step.insn + int(found[1]) + 1
            name = facts.lines.function(target) or ""
    of = f"{name}()" if name else "a global function"
    untyped = re.search(r"arg#(\d+) reference type.* size cannot", match.string)
    if untyped is not None:
        return Reason(
            f"argument {int(untyped[1]) + 1} of {of} points to a type whose size is not"
            " known",
            "define the struct, or make the function static",
        )
    return Reason(
        f"an argument of the call of {of} is not what its type says: too small, not"
        " initialised, or another pointer",
        "global functions are verified on their own: pass whole structs, or make the"
        " function static",
    )


def _constant(match: re.Match[str], facts: Facts) -> Reason:
    number = match[1] or match[2]
    which = f" as argument {number}" if number else " as format"
    return Reason(
        f"{facts.helper or 'the function'}() wants a constant, or a constant string in"
        f" .rodata,{which}",
        "write the number or string literally, or make it static const",
    )


# its caller is complained of, too
RETURN = Pattern(
    "global-return",
    r"Global function (\S+?)\(\) doesn't return scalar",
    say(
        "{1}() is a global function, and returns something that is no number",
        "return an int or nothing, or make it static",
    ),
)

# what such a call is refused for comes before, in the words of a memory access
CALLER = Pattern(
    "global-caller",
    r"Caller passes invalid args into func#\d+(?: \('(\S+)'\))?",
    _global_caller,
)

PATTERNS = (
    Pattern(
        "atomic-target",
        r"BPF_(ATOMIC|STX?) stores into R\d+ (\w+) is not allowed",
        say(
            "an atomic operation is made on memory where there can be none ({2})",
            "make it on a map value, a global variable or the stack",
        ),
    ),
    Pattern("helper-missing", r"invalid func unknown#(-?\d+)", _poisoned),
    Pattern(
        "helper-not-allowed",
        r"(?:program of this type cannot use helper|unknown func|invalid func)"
        r" (\w+)#(-?\d+)",
        _not_allowed,
    ),
    Pattern(
        "helper-not-allowed-attach",
        r"func (\w+)#(\d+) (?:not supported for|supported only for)",
        _not_allowed,
    ),
    Pattern(
        "licence",
        r"cannot call GPL-restricted function|non-GPL compatible program"
        r"|must have a GPL compatible license",
        _gpl,
    ),
    Pattern(
        "kfunc-not-allowed",
        r"calling kernel function (\S+) is not allowed",
        _kfunc_not_allowed,
    ),
    Pattern(
        "kfunc-support",
        r"(?:JIT does not support|JIT is required for) calling k(?:ernel )?func"
        r"|calling kernel functions? (?:is|are) not (?:supported|allowed)",
        say(
            "this kernel cannot call kernel functions from BPF",
            "it takes the JIT (net.core.bpf_jit_enable=1) of an architecture that can,"
            " and CONFIG_DEBUG_INFO_BTF=y",
        ),
    ),
    Pattern(
        "kfunc-missing",
        r"kernel btf_id (\d+) is not a function|kernel function btf_id (\d+) does not"
        r"|(?:cannot find address for|address of|failed to find BTF for) kernel function ?(\S*)"
        r"|invalid kernel function call not eliminated",
        say(
            "a kernel function is called that this kernel does not have",
            "declare it __weak and guard the call: if (bpf_ksym_exists(name))",
        ),
    ),
    Pattern(
        "kfunc-fd",
        r"kfunc offset > 0 without fd_array|invalid module BTF|BTF fd for kfunc"
        r"|negative offset disallowed for kernel module|too many different (?:module"
        r" BTFs|kernel function calls)",
        say("the call of a function of a kernel module cannot be resolved: {helper}"),
    ),
    Pattern(
        "sleeps",
        r"helper call might sleep in a non-sleepable prog|helper call is not allowed in"
        r" probe|program must be sleepable to call sleepable kfunc (\S+)"
        r"|sleepable helper (\w+)#\d+ in \S+|kernel func (\S+) is sleepable within"
        r"|sleepable \S+ (\S+) .*in (?:rcu|non-preempt|IRQ)",
        _sleeps,
    ),
    Pattern("map-type", r"cannot pass map_type (\d+) into func (\w+)#\d+", _map_type),
    Pattern("argument-type", r"R(\d+) type=(\S*) expected=(.*)", _argument_type),
    Pattern(
        "release",
        r"must be referenced when passed to release function|reference has not been"
        r" acquired before|is an unacquired reference|must have zero offset when passed"
        r" to release|release kernel function .* expects refcounted|release helper .*"
        r" expects referenced",
        _release,
    ),
    Pattern(
        "trusted",
        r"R(\d+) must be (?:referenced or trusted|a rcu pointer|a trusted)"
        r"|arg#(\d+) (?:is neither owning|expected pointer to an? |must be)",
        _trusted,
    ),
    Pattern(
        "struct-type",
        r"R(\d+) is of type (\S+) but (\S+) is expected",
        say(
            "{helper}() wants a pointer to struct {3} as argument {1}, and is given one"
            " to struct {2}"
        ),
    ),
    Pattern(
        "kfunc-type",
        r"kernel function (\S+) args?#(\d+) expected pointer to (?:STRUCT |UNION )?(\S+)"
        r" but R\d+ has a pointer to (?:STRUCT |UNION )?(\S+)",
        say(
            "{1}() wants a pointer to struct {3}, and is given one to struct {4}",
        ),
    ),
    Pattern(
        "constant",
        r"R(\d+) (?:is not|must be) a (?:known constant|constant address|const)"
        r"|R(\d+) does not point to a readonly map|string is not zero-terminated"
        r"|direct value access on string failed|Invalid format string"
        r"|no direct value access support",
        _constant,
    ),
    Pattern(
        "packet-access",
        r"the prog does not allow writes to packet data|helper access to the packet is"
        r" not allowed",
        say(
            "{helper}() reads or writes the packet, which programs of {type} may not let"
            " it do",
            "copy the bytes to the stack first",
        ),
    ),
    Pattern(
        "global-arguments",
        r"Function (\S+) has (\d+) > (\d+) args",
        say("{1}() has {2} arguments, and a function may have {3}"),
    ),
    Pattern(
        "argument-untyped",
        r"arg#(\d+) reference type\('(?!UNKNOWN)([^']*)'\) size cannot",
        say(
            "an argument of a global function points to a type whose size is not known:"
            " {2}",
            "define the struct, or make the function static",
        ),
    ),
    Pattern(
        "kfunc-return",
        r"kernel function (\S+) returns pointer type (.*) is not supported"
        r"|kernel function (\S+) unhandled dynamic return type",
        say("{1}{3}() returns a pointer that programs cannot use: {2}"),
    ),
    Pattern(
        "global-argument",
        r"(?:Arg|arg|args)#(\d+) (?!reference)(.*)",
        say(
            "argument {1} of a function has a type that is not supported there: {2}",
            "global functions take numbers, the context, and since Linux 5.12 pointers to"
            " structs of known size; else make it static",
        ),
    ),
)
