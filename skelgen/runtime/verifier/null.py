"""Pointers that may be NULL, and numbers used as pointers."""

import re

from skelgen.runtime.verifier.facts import Facts, called
from skelgen.runtime.verifier.pattern import Pattern, Reason, say

# what a function returns NULL for
_WHEN = {
    "bpf_map_lookup_elem": "when the map has no such key",
    "bpf_map_lookup_percpu_elem": "when the map has no such key",
    "bpf_ringbuf_reserve": "when the ring buffer is full",
    "bpf_task_from_pid": "when there is no such task",
    "bpf_task_acquire": "when the task is about to go",
    "bpf_cgroup_from_id": "when there is no such cgroup",
    "bpf_sk_storage_get": "when there is no storage and none was asked for",
    "bpf_task_storage_get": "when there is no storage and none was asked for",
    "bpf_inode_storage_get": "when there is no storage and none was asked for",
    "bpf_cgrp_storage_get": "when there is no storage and none was asked for",
    "bpf_dynptr_data": "when the range is not in the dynptr",
    "bpf_dynptr_slice": "when the range is not in the dynptr",
    "bpf_per_cpu_ptr": "when there is no such CPU",
    "bpf_kptr_xchg": "when the map value held nothing",
    "bpf_iter_num_next": "at the end",
}
_RELEASES = {
    "bpf_ringbuf_reserve": "bpf_ringbuf_submit() or bpf_ringbuf_discard()",
    "bpf_ringbuf_reserve_dynptr": (
        "bpf_ringbuf_submit_dynptr() or bpf_ringbuf_discard_dynptr()"
    ),
    "bpf_sk_lookup_tcp": "bpf_sk_release()",
    "bpf_sk_lookup_udp": "bpf_sk_release()",
    "bpf_skc_lookup_tcp": "bpf_sk_release()",
    "bpf_task_from_pid": "bpf_task_release()",
    "bpf_task_from_vpid": "bpf_task_release()",
    "bpf_task_acquire": "bpf_task_release()",
    "bpf_cgroup_acquire": "bpf_cgroup_release()",
    "bpf_cgroup_from_id": "bpf_cgroup_release()",
    "bpf_cgroup_ancestor": "bpf_cgroup_release()",
    "bpf_cpumask_create": "bpf_cpumask_release()",
    "bpf_cpumask_acquire": "bpf_cpumask_release()",
    "bpf_kptr_xchg": "the release function of its type",
    "bpf_obj_new_impl": "bpf_obj_drop()",
    "bpf_get_task_exe_file": "bpf_put_file()",
    "bpf_local_irq_save": "bpf_local_irq_restore()",
}


def release_of(taker: str) -> str:
    """Return what gives back what a function took: ``bpf_sk_release()``."""
    iterator = re.fullmatch(r"bpf_iter_(\w+)_new", taker)
    if iterator is not None:
        return f"bpf_iter_{iterator[1]}_destroy()"
    return _RELEASES.get(taker, "")


def _null(match: re.Match[str], facts: Facts) -> Reason:
    register = match["register"]
    step = facts.origin(register)
    name = facts.name_of(register)
    test = name.strip("'") if name.startswith("'") else "the pointer"
    hint = f"test it first: if (!{test}) return 0;"
    maker = "" if step is None else called(step)
    if not maker:
        if match["kind"] == "mem_or_null" or (facts.step and step is None):
            return _argument(facts, name)
        hint = f"test it before use: if ({test})"
        return Reason(f"{name} may be NULL here, and is used without a test", hint)
    when = _WHEN.get(maker, "")
    map_ = facts.map_of("R1", facts.place(step)) if step is not None else None
    if map_ is not None and when:
        noun = "ring buffer" if "ring buffer" in when else "map"
        when = when.replace(f"the {noun}", f"{noun} '{map_}'", 1)
    returns = f"{maker}() returns NULL {when}" if when else f"{maker}() may return NULL"
    return Reason(f"{name} may be NULL here: {returns}", hint)


def _argument(facts: Facts, name: str) -> Reason:
    """Return the reason about a pointer that the function was given."""
    step = facts.step
    where = None
    if step is not None and facts.lines is not None:
        where = facts.lines.function(step.insn)
    of = f"{where}()" if where else "the function"
    return Reason(
        f"{name} is used without a test, and {of} may be called with NULL",
        "test the argument, or declare it with __arg_nonnull (Linux 6.9)",
    )


def _null_passed(match: re.Match[str], facts: Facts) -> Reason:
    number = int(match["number"])
    register = f"R{number}" if match["what"] == "R" else f"R{number + 1}"
    name = facts.name_of(register)
    helper = facts.helper or "the function"
    return Reason(
        f"{name} may be NULL, and {helper}() does not take NULL as argument"
        f" {register[1:]}",
        "test it before the call",
    )


def _scalar(match: re.Match[str], facts: Facts) -> Reason:
    register = match[1]
    step = facts.origin(register)
    maker = "" if step is None else called(step)
    kernel = "read kernel memory with BPF_CORE_READ() or bpf_probe_read_kernel()"
    if maker == "bpf_get_current_task":
        return Reason(
            "bpf_get_current_task() returns a number, not a pointer that can be"
            " dereferenced",
            f"{kernel}, or get the task from bpf_get_current_task_btf() (Linux 5.11)",
        )
    state = facts.log.before.get(register, "")
    if state in {"0", "inv0", "P0"}:
        return Reason(
            f"{register.lower()} is NULL here, and is dereferenced",
            "the verifier came here on the path where the pointer is NULL",
        )
    return Reason(
        f"{facts.name_of(register)} holds a number here, not a pointer that the"
        " verifier knows, and is dereferenced",
        f"{kernel}, user memory with bpf_probe_read_user(); or keep the pointer as the"
        " kernel gave it",
    )


_OTHER = {
    "map_ptr": "the map itself is accessed",
    "pkt_end": "the end of the packet is dereferenced",
    "fp": "the stack is accessed in a way it does not allow",
    "func": "a function's address is dereferenced",
    "ctx": "the context is accessed in a way that it does not allow",
}


def _other(match: re.Match[str], facts: Facts) -> Reason:
    kind = match[2]
    if kind.startswith("untrusted"):
        return Reason(
            "a pointer that the kernel no longer vouches for is dereferenced",
            "read it with BPF_CORE_READ() or bpf_probe_read_kernel()",
        )
    what = _OTHER.get(kind, f"a pointer of kind '{kind}' cannot be dereferenced")
    return Reason(f"{facts.name_of(match[1])}: {what}")


PATTERNS = (
    Pattern(
        "null-dereference",
        r"(?P<register>R\d+) invalid mem access '(?P<kind>\w*or_null_?\w*)'",
        _null,
    ),
    Pattern(
        "null-arithmetic",
        r"(?P<register>R\d+) pointer arithmetic on (?P<kind>\w*or_null\w*) prohibited",
        _null,
    ),
    Pattern(
        "null-argument",
        r"Possibly NULL pointer passed to (?:\w+ )?(?P<what>arg|R)#?(?P<number>\d+)",
        _null_passed,
    ),
    Pattern(
        "null-type",
        r"(?P<what>R)(?P<number>\d+) type=\w*or_null_?\w* expected=",
        _null_passed,
    ),
    Pattern(
        "scalar-dereference", r"(R\d+) invalid mem access '(?:scalar|inv)'", _scalar
    ),
    Pattern("pointer-kind", r"(R\d+) invalid mem access '(\w+)'", _other),
    Pattern(
        "null-iterator-argument",
        r"R(\d+) type=scalar expected=(?:trusted_|rcu_)?ptr_",
        say(
            "{helper}() wants a pointer that the kernel vouches for as argument {1}, and"
            " is given a number",
            "pass what a kernel function, a helper or the program's arguments gave",
        ),
    ),
)
