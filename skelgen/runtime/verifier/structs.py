"""Accesses to the context and to kernel structs, and arithmetic on pointers."""

import re

from skelgen.model import prog_types
from skelgen.runtime.verifier.facts import Facts
from skelgen.runtime.verifier.pattern import Pattern, Reason, count, known_size, say

_CORE_READ = "read it with BPF_CORE_READ() or bpf_probe_read_kernel()"


def _context(match: re.Match[str], facts: Facts) -> Reason:
    offset, size = known_size(match, 1), known_size(match, 2)
    struct = facts.context
    member = facts.member(struct, offset)
    if prog_types.row(facts.program_type).btf_context or not struct:
        return _argument(offset, size, facts)
    if member is None:
        return Reason(
            f"{count(size, 'byte')} at offset {offset} of struct {struct}, the context,"
            f" are {facts.verb}, where it has no member",
            "check that the program's argument has the type of its context",
        )
    name, start, width = member
    whole = f"'{struct}.{name}'"
    if offset != start or size != width:
        return Reason(
            f"{count(size, 'byte')} at byte {offset - start} of {whole} are {facts.verb},"
            f" and programs of {facts.type_name} may not do so",
            f"access the member as the {width} bytes that it is, or not at all",
        )
    may = "write" if facts.verb == "written" else "read"
    return Reason(
        f"{whole} is {facts.verb}, which programs of {facts.type_name} may not do",
        f"which members of the context a program may {may} depends on its type (and on"
        " its attach type)",
    )


def _argument(offset: int, size: int, facts: Facts) -> Reason:
    if offset % 8 == 0 and size == 8:
        return Reason(
            f"argument {offset // 8} of the context is {facts.verb}, which programs of"
            f" {facts.type_name} do not have or may not use",
            "see the type of the function or tracepoint in BTF: skelgen btf dump --kernel"
            " --format raw",
        )
    return Reason(
        f"{count(size, 'byte')} at offset {offset} of the context are {facts.verb}, which"
        f" programs of {facts.type_name} may not do",
        "check the struct that the program's argument points to, and its size",
    )


def _context_modified(match: re.Match[str], facts: Facts) -> Reason:
    struct = f" (struct {facts.context})" if facts.context else ""
    if "modified" not in match[0]:
        return Reason(
            f"the context{struct} is accessed at an offset that is not a constant",
            "for an array in it, write out the indices, or copy it to the stack first",
        )
    if facts.helper:
        return Reason(
            f"{facts.helper}() is given the address of something in the context{struct},"
            " where it wants the context itself",
            "pass the program's first argument as it is",
        )
    found = facts.access
    name = facts.name_of(found[1]) if found else "a register"
    return Reason(
        f"the context{struct} is accessed through a pointer to something in it, {name},"
        " where the kernel wants its start and a constant offset",
        "where the C names the member already, the compiler worked its address out first:"
        " read the member into a variable once, before any branch or loop, or through"
        " *(volatile __u32 *)&ctx->member",
    )


def _attach_argument(match: re.Match[str], facts: Facts) -> Reason:
    access = facts.access
    which = match[2] if access is None else f"{access[2] // 8} (counted from 0)"
    return Reason(
        f"argument {which} of '{match[1]}' is {facts.verb}, which has fewer",
        "see its type in BTF: skelgen btf dump --kernel --format raw",
    )


def _beyond(match: re.Match[str], facts: Facts) -> Reason:
    del facts
    return Reason(
        f"{match[3]} bytes at offset {match[2]} of struct {match[1]} are accessed, which"
        " has no such bytes in this kernel",
        "give the struct __attribute__((preserve_access_index)), so that CO-RE finds the"
        " field",
    )


def _pointer_member(match: re.Match[str], facts: Facts) -> Reason:
    del facts
    return Reason(
        f"a part of the pointer '{match[2]}.{match[1]}' is read: {match[3]} bytes",
        "read the whole pointer, 8 bytes",
    )


def _kernel_write(match: re.Match[str], facts: Facts) -> Reason:
    del match
    state = facts.log.before.get("" if facts.access is None else facts.access[1], "")
    found = re.search(r"ptr_(?:or_null_)?(\w+)", state)
    member = None
    if found is not None and facts.access is not None:
        member = facts.member(found[1], facts.access[2], kernel=True)
    what = f"struct {found[1]}" if found else "a kernel struct"
    if found is not None and member is not None:
        what = f"'{found[1]}.{member[0]}'"
    return Reason(
        f"{what} is written, and programs may only read it",
        "kernel functions (kfuncs) are the way to change the kernel's state",
    )


def _leak(match: re.Match[str], facts: Facts) -> Reason:
    return Reason(
        f"the address in {facts.name_of(match[1])} would leave the program"
        f" ({match[2]}), which an unprivileged one may not do",
        "return or store a number instead, or load it with CAP_PERFMON",
    )


def _arithmetic(match: re.Match[str], facts: Facts) -> Reason:
    name = facts.name_of(match[1])
    said = match[0]
    operator = re.search(r"(?:operator |with )(\S+) (?:on|operator)", said)
    if operator is not None:
        return Reason(
            f"{name} is a pointer, and '{operator[1]}' is applied to it",
            "a pointer takes + and - only; do the arithmetic on the index, then add it",
        )
    if "from scalar" in said:
        return Reason(
            f"a pointer is subtracted from a number, {name}",
            "subtract a number from a pointer, or two pointers into the same packet",
        )
    if "32-bit" in said:
        return Reason(
            f"{name} is a pointer, and 32-bit arithmetic would cut it",
            "do not cast pointers to int; use long or a pointer type",
        )
    kind = re.search(r"arithmetic on (\w+) prohibited", said)
    if kind is not None:
        return Reason(
            f"{name} is a pointer of kind '{kind[1]}', which cannot be moved",
            "add the offset where the pointer is used, or test it for NULL before",
        )
    return Reason(
        f"arithmetic on the pointer {name} that the verifier cannot follow",
        "a pointer takes + and - of a number only, within its object",
    )


PATTERNS = (
    Pattern(
        "context-argument",
        r"func '(\S+)' doesn't have (\d+)-th argument",
        _attach_argument,
    ),
    Pattern(
        "context-argument-type",
        r"func '(\S+)' (arg\d+ .*|offset .*)",
        say(
            "an argument of '{1}' is used in a way that its type does not allow: {2}",
            "see its type in BTF: skelgen btf dump --kernel --format raw",
        ),
    ),
    Pattern(
        "context-access", r"invalid bpf_context access off=(-?\d+) size=(\d+)", _context
    ),
    Pattern(
        "context-modified",
        r"dereference of modified ctx ptr|variable ctx access|negative offset ctx ptr",
        _context_modified,
    ),
    Pattern(
        "pointer-modified",
        r"(?:dereference of modified|negative offset|variable) (\S+) (?:ptr|access)",
        say(
            "a pointer of kind '{1}' has to be passed or used as it was given, and was"
            " moved",
            "use the pointer itself; access members by name",
        ),
    ),
    Pattern(
        "socket-access",
        r"R\d+ invalid (sock|sock_common|tcp_sock|xdp_sock) access off=(\d+) size=(\d+)",
        say(
            "{3} bytes at offset {2} of the socket are accessed, where this kind of"
            " pointer ({1}) has nothing to read",
            "bpf_sk_fullsock(), bpf_tcp_sock() and bpf_skc_to_*() give pointers with more"
            " members",
        ),
    ),
    Pattern(
        "struct-bounds",
        r"access beyond struct (\S+) at off (\d+) size (\d+)",
        _beyond,
    ),
    Pattern(
        "struct-member-end",
        r"access beyond the end of member (\S+) \(mend:\d+\) in struct (\S+)",
        say(
            "'{2}.{1}' is read beyond its end",
            "give the struct __attribute__((preserve_access_index)), so that CO-RE finds"
            " the field",
        ),
    ),
    Pattern(
        "struct-pointer-member",
        r"cannot access ptr member (\S+) with moff \d+ in struct (\S+)"
        r" with off \d+ size (\d+)",
        _pointer_member,
    ),
    Pattern(
        "struct-user-memory",
        r"is ptr_(\S+) access (user|percpu) memory",
        say(
            "a pointer to {2} memory in struct {1} is dereferenced",
            "use bpf_probe_read_user() for user memory, bpf_per_cpu_ptr() for per-CPU"
            " memory",
        ),
    ),
    Pattern(
        "struct-offset",
        r"is (?:trusted_|rcu_|untrusted_)?(?:ptr_)?(\S+) invalid"
        r" (?:negative access|variable offset)",
        say(
            "struct {1} is accessed at an offset that is negative or not a constant",
            f"access members by name, or {_CORE_READ}",
        ),
    ),
    Pattern(
        "buffer-bounds",
        r"R\d+ invalid (\S+) buffer access: off=(-?\d+), size=(\d+)"
        r"|R\d+ invalid variable buffer offset",
        say(
            "{3} bytes at offset {2} of the buffer are accessed, which it does not have,"
            " or at an offset that is not constant",
            "check the size that the context tells against the end of the access",
        ),
    ),
    Pattern(
        "flow-keys",
        r"invalid access to flow keys off=(-?\d+) size=(\d+)",
        say("{2} bytes at offset {1} of struct bpf_flow_keys are accessed"),
    ),
    Pattern(
        "map-key-write",
        r"write to change key R\d+ not allowed",
        say("the key of a map is written", "delete the element and add another"),
    ),
    Pattern(
        "direct-access",
        r"direct access to (\S+) is disallowed",
        say(
            "struct {1} is accessed directly, which programs of {type} may not do",
            "copy it with a helper, e.g. bpf_skb_load_bytes()",
        ),
    ),
    Pattern("kernel-write", r"only read (?:is|from \S+ is) supported", _kernel_write),
    Pattern(
        "special-field",
        r"(bpf_\w+|kptr) cannot be accessed (?:directly|indirectly) by (.*)",
        say(
            "'struct {1}' in a map value is accessed like plain memory",
            "leave it alone: helpers and kfuncs change it; copy the other members one by"
            " one",
        ),
    ),
    Pattern(
        "kptr-type",
        r"invalid kptr access, R\d+ type=(\S+) expected=(.*)",
        say(
            "a pointer of type '{1}' is stored in a kptr of another type, '{2}'",
            "store what a kernel function of that type gave; bpf_kptr_xchg() for"
            " referenced ones",
        ),
    ),
    Pattern(
        "kptr-store",
        r"store to referenced kptr disallowed"
        r"|kptr (?:in map|access|cannot|store)|BPF_ST imm must be 0",
        say(
            "a kernel pointer (kptr) in a map value is accessed like plain memory",
            "use bpf_kptr_xchg() for a referenced kptr, and whole 8-byte loads and stores"
            " for another",
        ),
    ),
    Pattern(
        "pointer-leak",
        r"(R\d+) leaks addr (into \w+|as return value|into \w+ \w+)",
        _leak,
    ),
    Pattern(
        "pointer-comparison",
        r"R(\d+) pointer comparison prohibited",
        say(
            "pointers that cannot be compared are compared",
            "compare with NULL, or packet pointers with data_end; an unprivileged program"
            " may do no more",
        ),
    ),
    Pattern(
        "pointer-arithmetic",
        r"(R\d+) (?:32-bit pointer arithmetic|pointer arithmetic|bitwise operator"
        r"|tried to subtract|subtraction from stack|pointer \S+ pointer).*",
        _arithmetic,
    ),
    Pattern(
        "pointer-copy",
        r"(R\d+) (?:partial copy|sign-extension part) of pointer",
        say(
            "half of a pointer is copied",
            "do not cast pointers to int; use long or a pointer type",
        ),
    ),
    Pattern(
        "pointer-mix",
        r"same insn cannot be used with different pointers",
        say(
            "the same access is made to two kinds of pointer, depending on the path",
            "write the access out on each path, or keep the compiler from merging them"
            " with barrier_var()",
        ),
    ),
    Pattern(
        "speculation",
        r"R(\d+) (?:tried to (?:add|sub)|could not be pushed|has unknown scalar with"
        r" mixed|has pointer with unsupported|variable stack access|stack pointer"
        r" arithmetic goes)",
        say(
            "arithmetic on a pointer that an unprivileged program may not do, because of"
            " speculative execution",
            "load it with CAP_PERFMON, or keep the index within constant bounds",
        ),
    ),
    Pattern(
        "frame-pointer",
        r"frame pointer is read only",
        say("r10, the frame pointer, is written", "copy it to another register first"),
    ),
    Pattern(
        "spilled-pointer",
        r"attempt to corrupt spilled pointer|invalid size of register (?:spill|fill)"
        r"|cannot spill pointers to stack",
        say(
            "a part of a pointer that is saved on the stack is read or written",
            "read and write it as the 8 bytes that it is",
        ),
    ),
    Pattern("division", r"div by zero", say("a division by the constant 0")),
    Pattern(
        "shift",
        r"invalid shift (-?\d+)",
        say("a shift by {1} bits, more than the register has"),
    ),
)
