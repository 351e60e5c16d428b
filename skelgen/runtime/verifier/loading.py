"""Refusals before the way through the program: instructions, BTF, attach targets."""

import re

from skelgen.model import instructions
from skelgen.runtime.verifier.facts import Facts
from skelgen.runtime.verifier.pattern import Pattern, Reason, say

_TARGET = "'skelgen btf dump --kernel --format raw' lists what this kernel has"


def _unknown(match: re.Match[str], facts: Facts) -> Reason:
    """Return which instruction it is, where the program has one that is newer."""
    found = _newer(match, facts)
    if found is None:
        return Reason(
            "an instruction that this kernel does not know",
            "compile with -mcpu=v2, which every kernel knows all of",
            whole=True,
        )
    insn, kind = found
    hints: list[str] = []
    if kind.cpu:
        hints.append(f"compile with -mcpu={kind.cpu}, which makes none of them")
    if kind.name == instructions.FETCH.name:
        hints.append(_RELAXED)
    return Reason(
        f"{kind.name}, which came with Linux {kind.since}; this kernel does not know it",
        "; or ".join(hints),
        insn=insn,
        whole=insn is None,
    )


_RELAXED = (
    "where nothing reads the old value, write __atomic_fetch_add(&x, 1,"
    " __ATOMIC_RELAXED), which is a plain add"
)
_CLASSES = {
    "BPF_LDX": {1},
    "BPF_STX": {3},
    "BPF_ATOMIC": {3},
    "BPF_ALU": {4, 7},
    "BPF_MOV": {4, 7},
    "BPF_END": {4, 7},
    "BPF_JMP": {5, 6},
    "BPF_JA": {5, 6},
}
"""Classes of instructions, ``BPF_CLASS()``, by what the verifier calls them."""


def _newer(
    match: re.Match[str], facts: Facts
) -> "tuple[int | None, instructions.Newer] | None":
    """Return the first instruction that the message can mean, and what it is.

    Its number is ``None`` where the message alone says it.
    """
    if match["kind"] == "BPF_CALL":
        return None if facts.step is None else facts.step.insn, instructions.KFUNC
    code = int(match["code"], 16) if match["code"] else None
    classes = _CLASSES.get(match["kind"] or "", range(8))
    fitting = [
        (number, kind)
        for number, opcode, kind in facts.newer
        if code in {None, opcode} and opcode & 7 in classes
    ]
    if fitting:
        here = None if facts.step is None else facts.step.insn
        return next((found for found in fitting if found[0] == here), fitting[0])
    kind = None if code is None else instructions.newer(code, 0, 0)
    return None if kind is None else (None, kind)


PATTERNS = (
    Pattern(
        "unknown-instruction",
        r"unknown opcode (?P<code>[0-9a-f]{2})"
        r"|(?P<kind>BPF_(?:LDX|STX|ALU|MOV|END|JMP|JA|ATOMIC|CALL))[\w/|]* uses (?:reserved"
        r" fields|invalid)|invalid BPF_(?:ATOMIC|STX|LDX|ALU)|invalid atomic operand"
        r"|unknown insn class",
        _unknown,
    ),
    Pattern(
        "invalid-insn",
        r"BPF_\w+ uses reserved fields|invalid (?:BPF_\w+|bpf_ld_imm64).*|unrecognized"
        r" bpf_ld_imm64 insn",
        say(
            "an instruction that this kernel does not know",
            "compile with -mcpu=v2, which every kernel knows all of",
        ),
    ),
    Pattern(
        "legacy-load",
        r"BPF_LD_\[ABS\|IND\].*|LD_ABS is (?:not allowed|only allowed).*"
        r"|at the time of BPF_LD_ABS",
        say(
            "the old packet loads (load_byte() and its like) are used where they are not"
            " allowed",
            "use bpf_skb_load_bytes()",
        ),
    ),
    Pattern(
        "func-info",
        r"number of funcs in func_info|missing btf func_info|func_info BTF section"
        r"|invalid func info rec size|invalid type id \d+ in func info|in func info"
        r"|func info record|func_info",
        say(
            "the function records (func_info) do not fit the program",
            "compile all of it with -g, and do not strip its BTF",
            whole=True,
        ),
    ),
    Pattern(
        "line-info",
        r"(?:Invalid|nonzero tailing record in|missing bpf_)\s?line_info.*",
        say(
            "the line records (line_info) do not fit the program",
            "compile all of it with -g",
            whole=True,
        ),
    ),
    Pattern(
        "core-info",
        r"(?:Invalid|nonzero tailing record in) core_relo.*",
        say("the CO-RE records do not fit the program", whole=True),
    ),
    Pattern(
        "struct-ops-member",
        r"attach to (?:unsupported|invalid) member (\S+?)(?:\(@idx \d+\))? of struct"
        r" (\S+)",
        say(
            "'{2}.{1}' cannot be a BPF program in this kernel",
            "leave the member unset",
            whole=True,
        ),
    ),
    Pattern(
        "struct-ops-struct",
        r"attach_btf_id (\d+) is not a supported struct|attach to invalid member idx",
        say("this kernel has no struct_ops of that type", whole=True),
    ),
    Pattern(
        "attach-not-function",
        r"attach_btf_id (\d+) is not a function|The address of function (\S+) cannot be"
        r" found|kernel function (\S+) .*not be found",
        say(
            "the attach target is not a function that can be traced: {2}{3}",
            "it may be inlined, or a function of a module that is not loaded; "
            + _TARGET,
            whole=True,
        ),
    ),
    Pattern(
        "attach-missing",
        r"attach_btf_id (\d+) (?:is invalid|doesn't have a name|is not a typedef"
        r"|points to wrong type name)|Tracing programs must provide btf_id"
        r"|Subprog (\S+) doesn't exist",
        say("the attach target is not in the target's BTF: {2}", _TARGET, whole=True),
    ),
    Pattern(
        "attach-not-sleepable",
        r"(?:^|\n)(\S+) is not sleepable",
        say(
            "'{1}' is not a function that a sleepable program may attach to",
            "drop the .s of its section: fentry/, lsm/",
            whole=True,
        ),
    ),
    Pattern(
        "attach-not-modifiable",
        r"(\S+)\(\) is not modifiable|can't modify return codes",
        say(
            "the return value of '{1}' cannot be changed by fmod_ret",
            "it can of functions with ALLOW_ERROR_INJECTION and of security_*()",
            whole=True,
        ),
    ),
    Pattern(
        "attach-hook",
        r"points to disabled hook (\S+)|ret type (.*) not allowed for fmod_ret"
        r"|Attaching fexit/fmod_ret to (__noreturn) functions",
        say(
            "nothing can be attached to that function in this way: {1}{2}{3}",
            "choose another function, or fentry",
            whole=True,
        ),
    ),
    Pattern(
        "attach-prototype",
        r"The function (\S+) (?:has|return type|with variable|arg\d+) ?(.*)",
        say(
            "'{1}' cannot be traced because of its arguments or what it returns: {2}",
            "attach a kprobe",
            whole=True,
        ),
    ),
    Pattern(
        "extension-prototype",
        r"(\S+)\(\) is not a global function|(\S+)\(\) has \d+ args while"
        r"|Return type .* doesn't match|arg\d+ (?:in )?(?:\S+)\(.*|Extension program"
        r" changes packet data",
        say(
            "the function that replaces another has not the same type: {0}",
            "give it the arguments and the return type of the global function that it"
            " replaces",
            whole=True,
        ),
    ),
    Pattern(
        "struct-ops-module",
        r"struct_ops module (\S+) is not found",
        say("the kernel module of the struct_ops is not loaded", whole=True),
    ),
    Pattern(
        "calls-without-jit",
        r"JIT doesn't support bpf-to-bpf calls",
        say(
            "the program calls functions of its own, which this JIT does not support",
            "inline them: static __always_inline",
            whole=True,
        ),
    ),
    Pattern(
        "attach-program",
        r"(?:Cannot (?:replace|extend|recursively|nest)|Program extension requires BTF|Only FENTRY/FEXIT progs|Can attach to"
        r" only JITed|Extension programs should|FENTRY/FEXIT program can only).*",
        say(
            "the program cannot be attached to that other program: {0}",
            "the target has to be JITed, have BTF, and be no tracing program itself;"
            " freplace wants a global function",
            whole=True,
        ),
    ),
    Pattern(
        "sleepable-type",
        r"Only (.*) programs can be sleepable|Syscall programs can only be sleepable",
        say(
            "programs of {type} cannot be sleepable as asked for",
            "sleepable can be: {1}",
            whole=True,
        ),
    ),
    Pattern(
        "no-kernel-btf",
        r"kernel is missing BTF|in-kernel BTF is malformed|map_ptr access not supported"
        r" without",
        say(
            "the program needs the kernel's BTF, which is missing",
            "it takes CONFIG_DEBUG_INFO_BTF=y",
            whole=True,
        ),
    ),
    Pattern(
        "kernel-bug",
        r"verifier (?:internal error|bug)|verifier BUG|REG INVARIANTS VIOLATION"
        r"|kernel subsystem misconfigured",
        say(
            "the verifier came upon a fault of its own",
            "it is the kernel's: report the whole log to bpf@vger.kernel.org",
        ),
    ),
)
