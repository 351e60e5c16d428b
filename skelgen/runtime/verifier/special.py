"""Maps, kernel variables, and what has a state of its own: iterators, dynptrs."""

import re

from skelgen.runtime.verifier.facts import Facts
from skelgen.runtime.verifier.pattern import Pattern, Reason, say


def _dynptr(match: re.Match[str], facts: Facts) -> Reason:
    state = "that is not made yet, or was given back"
    if "uninit" in match[0]:
        state = "that is made already"
    elif "overwrite" in match[0]:
        state = "that holds something which was not given back"
    elif "of type" in match[0]:
        state = "of another kind than it works on"
    elif "init" not in match[0]:
        state = "that was moved or written over"
    return Reason(
        (
            f"{facts.helper or 'the program'}() is given a dynptr {state}"
            if facts.helper
            else f"a dynptr is used {state}"
        ),
        "make it once, with bpf_dynptr_from_*() or bpf_ringbuf_reserve_dynptr(), and use"
        " the variable itself",
    )


def _iterator(match: re.Match[str], facts: Facts) -> Reason:
    state = "made already" if "uninit" in match[0] else "not made yet, or is destroyed"
    helper = facts.helper
    kind = re.match(r"bpf_iter_(\w+)_(?:new|next|destroy)$", helper)
    name = kind[1] if kind else "*"
    return Reason(
        f"{helper or 'the function'}() is given an iterator that is {state}",
        f"the order is bpf_iter_{name}_new(), bpf_iter_{name}_next() until NULL,"
        f" bpf_iter_{name}_destroy(); bpf_for_each() and bpf_for() keep it",
    )


PATTERNS = (
    Pattern(
        "arena",
        r"JIT (?:is required to use|doesn't support) arena|Only one arena per program"
        r"|required to use arena|arena's user address must|loads from arena are not"
        r"|is not a pointer to arena|addr_space_cast insn can only",
        say(
            "an arena is used in a way that this kernel does not support",
            "one arena a program, mapped before load, with the JIT of x86-64 or arm64"
            " and CAP_PERFMON",
        ),
    ),
    Pattern(
        "rcu-section",
        r"expected an RCU CS when using (\w+)",
        say(
            "{1}() is called outside of an RCU read section",
            "call it between bpf_rcu_read_lock() and bpf_rcu_read_unlock()",
        ),
    ),
    Pattern(
        "rcu-nested",
        r"nested rcu read lock|Calling bpf_rcu_read_\{lock,unlock\} in unnecessary",
        say(
            "an RCU read section is opened inside of another one",
            "open one, and close it on every path",
        ),
    ),
    Pattern(
        "graph-lock",
        r"bpf_spin_lock at off=\d+ must be held for (\w+)|held lock and object are not"
        r" in the same",
        say(
            "a list or tree is changed without the lock that is declared beside it:"
            " {helper}",
            "take the bpf_spin_lock of the same map value, or of the same section of"
            " globals, around the call",
        ),
    ),
    Pattern(
        "graph-node",
        r"rbtree_remove node input|rbtree_remove not allowed|allocated object must be"
        r" referenced|is neither owning or non-owning ref|conversion of owning ref to"
        r" non-owning|bpf_(?:percpu_)?obj_\w+ type|local type ID argument",
        say(
            "{helper}() is given an object that it does not work on",
            "bpf_obj_new() makes one; adding it to a list or tree gives it away, removing"
            " it gives it back",
        ),
    ),
    Pattern(
        "timer-map",
        r"(timer|workqueue) pointer in R1 map_uid=\d+ doesn't match",
        say(
            "{helper}() is given a {1} of one map, and another map",
            "pass the map that the value is from",
        ),
    ),
    Pattern(
        "too-many-maps",
        r"total number of maps per program has reached the limit of (\d+)",
        say("the program uses more than {1} maps", whole=True),
    ),
    Pattern(
        "sleepable-maps",
        r"Sleepable programs can only use (.*)",
        say(
            "a sleepable program uses a map of a type that such programs may not use",
            "they can use {1}",
        ),
    ),
    Pattern(
        "iterator-state",
        r"expected (?:an? )?(?:un)?initialized iter|expected valid iter_\w+",
        _iterator,
    ),
    Pattern(
        "dynptr-state",
        r"Expected an initialized dynptr|Dynptr has to be an uninitialized dynptr"
        r"|Expected a dynptr of type|cannot pass in (?:non-zero )?dynptr (?:at an )?offset"
        r"|cannot overwrite referenced dynptr|cannot pass in dynptr at an offset"
        r"|dynptr has to be at|has to be at a constant offset|cannot pass in \S+ at an"
        r" offset|potential write to dynptr|const bpf_dynptr|Unsupported reg type .* for bpf_dynptr|invalid dynptr",
        _dynptr,
    ),
    Pattern(
        "callback",
        r"callback function (?:not static|not allowed)|expected pointer to func"
        r"|failed callback verification|cannot call callback"
        r"|R(\d+) is not a callback|callbacks are not allowed",
        say("a callback is not what it has to be: a static function, for this map"),
    ),
    Pattern(
        "spin-lock-map",
        r"map '(\S+)' (?:doesn't have|has to have BTF in order to use|has more than one"
        r"|is not a struct type or|has no valid) ?(.*)",
        say(
            "the values of map '{1}' do not have what the call is about: {2}",
            "declare the map with __type(value, struct ...) and the member in that struct",
        ),
    ),
    Pattern(
        "special-offset",
        r"off (-?\d+) doesn't point to '(struct \w+)' that is at (\d+)",
        say(
            "{helper}() is given the address of byte {1} of the map value, and its {2} is"
            " at byte {3}",
            "pass the address of that member",
        ),
    ),
    Pattern(
        "special-offset-old",
        r"off (-?\d+) doesn't point to '(struct \w+)'|doesn't have constant offset\."
        r" (bpf_\w+) has to be",
        say(
            "{helper}() is given an address where the map value has no {2}{3}",
            "pass the address of that member, at a constant offset",
        ),
    ),
    Pattern(
        "lock-in-programs",
        r"(?:^|\n)(.*) progs cannot use (bpf_\w+) yet",
        say("{1} programs cannot use {2}", "programs of tc, XDP and cgroups can"),
    ),
    Pattern(
        "struct-ops-map",
        r"bpf_struct_ops map cannot be used in prog",
        say("a program uses a struct_ops map, which only user space may"),
    ),
    Pattern(
        "map-fd",
        r"fd (-?\d+) is not pointing to valid bpf_map",
        say("a map that the program uses is not there any more (fd {1})"),
    ),
    Pattern(
        "exclusive-map",
        r"program's hash doesn't match map's excl_prog_hash",
        say(
            "a map that it uses is for another program alone, or for other code than this",
            "maps.x.exclusive_program says for which",
        ),
    ),
    Pattern(
        "map-direct-value",
        r"direct value offset of (\d+) is not allowed|invalid access to map value"
        r" pointer, value_size=(\d+) off=(\d+)",
        say("the address of a global variable lies outside of its map"),
    ),
    Pattern(
        "ksym",
        r"ldimm64 (?:insn specifies invalid btf_id|failed to find the address|unable to"
        r" resolve)|pseudo btf_id (\d+) in ldimm64 isn't KIND_VAR",
        say("a kernel variable (ksym) cannot be used by programs in this kernel"),
    ),
    Pattern(
        "bpf-privilege",
        r"loading/calling other bpf or kernel functions are allowed for"
        r"|access is allowed only to CAP_PERFMON",
        say(
            "the program calls functions or reads pointers, which an unprivileged one may"
            " not",
            "load it with CAP_BPF and CAP_PERFMON",
        ),
    ),
)
