"""Every complaint that is known, in the words of every kernel that was looked at.

Logs in ``tests/data/rejected/logs`` were recorded on the kernels they are named after;
what is written out here is what the kernel's source prints, where no program of ours
brings it about.
"""

import re
from collections import defaultdict

import pytest

from skelgen.model.enums import ProgType
from skelgen.runtime.verifier.facts import Facts, Names
from skelgen.runtime.verifier.log import Log, Step, read_log
from skelgen.runtime.verifier.reasons import PATTERNS, SEEN, find, reason
from skelgen.runtime.verifier.report import verifier_error
from tests.harness import rejected

LOGS = sorted(rejected.LOGS.glob("*/*.log"))
KERNELS = sorted({path.parent.name for path in LOGS})

# What Linux 6.1 complains of at another place.
OTHER_COMPLAINTS = {
    "global_function_type",  # of the function, not of its caller
    "helper_size_unbounded",  # without the argument
    "helper_sleeps",  # there is no such helper for such a program
    "recursion",  # an edge of the graph goes back
}

# pattern, message
SAYS = [
    ("lock-twice", "Locking two bpf_spin_locks are not allowed"),
    ("lock-held", "bpf_spin_unlock is missing"),
    ("lock-held", "bpf_rcu_read_unlock is missing"),
    ("lock-held", "1 bpf_preempt_enable is missing"),
    ("lock-held", "2 bpf_preempt_enables are missing"),
    ("lock-held", "tail_call cannot be used inside bpf_spin_lock-ed region"),
    ("lock-held", "bpf_throw cannot be used inside bpf_rcu_read_lock-ed region"),
    ("lock-held", "BPF_EXIT instruction in main prog cannot be used inside bpf_local_irq_save-ed region"),
    ("lock-other", "bpf_spin_unlock of different lock"),
    ("lock-other", "unmatched attempt to enable preemption (kernel function x)"),
    ("too-many-jumps", "The sequence of 8193 jumps is too complex."),
    ("too-many-jumps", "The sequence of 8193 jumps is too complex for async cb."),
    ("loop", "back-edge from insn 12 to 3"),
    ("may-goto", "may_goto is not allowed here"),
    ("jump-range", "jump out of range from insn 3 to 400"),
    ("jump-middle", "jump into the middle of ldimm64 insn 5"),
    ("call-destination", "call to invalid destination"),
    ("call-destination", "invalid insn idx 9 insn_cnt 8"),
    ("call-depth", "the call stack of 9 frames is too deep !"),
    ("recursion", "recursive call from a() to b()"),
    ("too-many-functions", "too many subprograms"),
    ("tail-call-reference", "tail_call would lead to reference leak"),
    ("tail-call-function", "tail_call is only allowed in functions that return 'int'."),
    ("tail-call-function", "tail_call is not allowed in subprogs without BTF"),
    ("tail-call-function", "tail_calls are not allowed in non-JITed programs with bpf-to-bpf calls"),
    ("tail-call-function", "tail_call abusing map_ptr"),
    ("return-range", "At program exit the register R0 has value (0x5; 0x0) should have been in (0x0; 0x1)"),
    ("return-range", "At program exit the register R0 has unknown scalar value should have been in (0x0; 0x3)"),
    ("return-range", "At program exit the register R0 has smin=7 smax=7 should have been in [-4095, 0]"),
    ("return-range", "At callback return the register R0 has smin=2 smax=2 should have been in [0, 1]"),
    ("return-range", "At async callback return the register R0 has unknown scalar value should have been in [0, 0]"),
    ("return-kind", "At program exit the register R0 is not a known value (ctx)"),
    ("return-kind", "At subprogram exit the register R0 is not a scalar value (map_value)"),
    ("return-kind", "R0 not a scalar value"),
    ("exception", "exception cb only supports single integer argument"),
    ("exception", "multiple exception callback tags for main subprog"),
    ("null-argument", "Possibly NULL pointer passed to trusted arg0"),
    ("null-argument", "Possibly NULL pointer passed to helper arg2"),
    ("null-dereference", "R0 invalid mem access 'map_value_or_null'"),
    ("null-dereference", "R0 invalid mem access 'rcu_ptr_or_null_'"),
    ("null-dereference", "R0 invalid mem access 'alloc_mem_or_null'"),
    ("scalar-dereference", "R1 invalid mem access 'inv'"),
    ("pointer-kind", "R1 invalid mem access 'pkt_end'"),
    ("pointer-kind", "R1 invalid mem access 'untrusted_ptr_'"),
    ("null-iterator-argument", "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_"),
    ("packet-range", "R1 offset is outside of the packet"),
    ("packet-bounds", "invalid access to packet, off=0 size=8, R2(id=1,off=34,r=0)"),
    ("size-unbounded", "R2 unbounded memory access, use 'var &= const' or 'if (var < const)'"),
    ("size-unbounded", "R2 min value is negative, either use unsigned or 'var &= const'"),
    ("size-zero", "R4 invalid zero-sized read"),
    ("size-zero", "R4 invalid zero-sized read: u64=[0,64]"),
    ("size-zero-old", "invalid zero-sized read"),
    ("offset-negative", "R1 min value is negative, either use unsigned index or do a if (index >=0) check."),
    ("offset-range", "R1 max value is outside of the allowed memory range"),
    ("offset-range", "R0 min value is outside of the array range"),
    ("pointer-math", "math between map_value pointer and register with unbounded min value is not allowed"),
    ("pointer-math", "math between fp pointer and 2147483647 is not allowed"),
    ("pointer-math", "map_value pointer offset 1073741824 is not allowed"),
    ("stack-size", "stack size 608 of subprog 1 is too large"),
    ("stack-uninitialised", "invalid indirect read from stack R2 off -8+1 size 8"),
    ("stack-uninitialised", "invalid indirect read from stack off -8+1 size 8"),
    ("stack-uninitialised", "invalid read from stack off -16+0 size 8"),
    ("stack-uninitialised", "invalid read from stack R10 off -16+0 size 8"),
    ("stack-bounds", "invalid stack type R2 off=-520 access_size=8"),
    ("stack-bounds", "invalid stack off=-520 size=8"),
    ("stack-bounds", "invalid indirect access to stack R2 off=-8 size=16"),
    ("stack-variable", "invalid unbounded variable-offset write to stack R2"),
    ("stack-variable", "variable stack access var_off=(0x0; 0xff) off=-16 size=1"),
    ("stack-variable", "R2 variable stack access prohibited for !root, var_off=(0x0; 0x4) off=0"),
    ("map-write-only", "read from map forbidden, value_size=8 off=0 size=8"),
    ("map-read-only", "write into map forbidden"),
    ("read-only", "R1 cannot write into rdonly_mem"),
    ("read-only", "cannot write into packet"),
    ("misaligned", "misaligned packet access off 0+(0x0; 0xffff)+15+0 size 4"),
    ("misaligned", "misaligned stack access off (0x0; 0x0)+-12+0 size 8"),
    ("context-argument-type", "func 'bpf_fentry_test1' arg0 type INT is not a struct"),
    ("context-argument-type", "func 'x' offset 3 is not multiple of 8"),
    ("context-access", "invalid bpf_context access off=500 size=4"),
    ("pointer-modified", "dereference of modified map_ptr ptr R1 off=8 disallowed"),
    ("pointer-modified", "variable rdonly_buf access var_off=(0x0; 0x4) disallowed"),
    ("struct-member-end", "access beyond the end of member comm (mend:2000) in struct task_struct with off 1999 size 4"),
    ("struct-user-memory", "R1 is ptr_sockaddr access user memory: off=0"),
    ("struct-user-memory", "R1 is ptr_rq access percpu memory: off=0"),
    ("kernel-write", "only read from bpf_array is supported"),
    ("special-field", "bpf_timer cannot be accessed directly by load/store"),
    ("special-field", "kptr cannot be accessed indirectly by helper"),
    ("kptr-type", "invalid kptr access, R1 type=ptr_task_struct expected=ptr_cgroup"),
    ("kptr-store", "kptr access cannot have variable offset"),
    ("kptr-store", "BPF_ST imm must be 0 when storing to kptr at off=8"),
    ("pointer-leak", "R0 leaks addr as return value"),
    ("pointer-leak", "R2 leaks addr into map"),
    ("pointer-comparison", "R1 pointer comparison prohibited"),
    ("pointer-copy", "R2 partial copy of pointer"),
    ("pointer-mix", "same insn cannot be used with different pointers"),
    ("pointer-arithmetic", "R1 pointer += pointer prohibited"),
    ("pointer-arithmetic", "R1 pointer arithmetic on pkt_end prohibited"),
    ("pointer-arithmetic", "R10 subtraction from stack pointer prohibited"),
    ("pointer-arithmetic", "R1 pointer arithmetic with *= operator prohibited"),
    ("pointer-arithmetic", "R1 pointer arithmetic prohibited"),
    ("speculation", "R1 tried to add from different maps, paths or scalars, pointer arithmetic with it prohibited for !root"),
    ("speculation", "R2 has unknown scalar with mixed signed bounds, pointer arithmetic with it prohibited for !root"),
    ("spilled-pointer", "attempt to corrupt spilled pointer on stack"),
    ("spilled-pointer", "invalid size of register fill"),
    ("sleepable-maps", "Sleepable programs can only use array, hash, and ringbuf maps"),
    ("callback", "callback function not static"),
    ("spin-lock-map", "map 'totals' doesn't have 'struct bpf_spin_lock'"),
    ("spin-lock-map", "map 'totals' has to have BTF in order to use bpf_spin_lock"),
    ("special-offset-old", "off 4 doesn't point to 'struct bpf_spin_lock'"),
    ("special-offset-old", "R1 doesn't have constant offset. bpf_timer has to be at the constant offset"),
    ("lock-in-programs", "tracing progs cannot use bpf_spin_lock yet"),
    ("struct-ops-map", "bpf_struct_ops map cannot be used in prog"),
    ("exclusive-map", "program's hash doesn't match map's excl_prog_hash"),
    ("map-fd", "fd 7 is not pointing to valid bpf_map"),
    ("map-direct-value", "direct value offset of 1073741824 is not allowed"),
    ("map-direct-value", "invalid access to map value pointer, value_size=8 off=16"),
    ("ksym", "ldimm64 insn specifies invalid btf_id 4."),
    ("ksym", "pseudo btf_id 9 in ldimm64 isn't KIND_VAR."),
    ("bpf-privilege", "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN"),
    ("helper-missing", "invalid func unknown#4000"),
    ("helper-not-allowed", "unknown func bpf_probe_read#4"),
    ("helper-not-allowed-attach", "func bpf_get_func_ip#173 not supported for program type 5"),
    ("helper-not-allowed-attach", "func bpf_get_func_ret#184 supported only for fentry/fexit/fmod_ret programs"),
    ("licence", "cannot call kernel function from non-GPL compatible program"),
    ("licence", "struct ops programs must have a GPL compatible license"),
    ("kfunc-support", "JIT does not support calling kernel function"),
    ("kfunc-support", "calling kernel function is not supported without CONFIG_DEBUG_INFO_BTF"),
    ("kfunc-support", "calling kernel functions are not allowed in non-JITed programs"),
    ("kfunc-missing", "kernel btf_id 17 is not a function"),
    ("kfunc-missing", "kernel function btf_id 17 does not have a valid func_proto"),
    ("kfunc-missing", "cannot find address for kernel function bpf_task_acquire"),
    ("kfunc-missing", "invalid kernel function call not eliminated in verifier pass"),
    ("kfunc-fd", "kfunc offset > 0 without fd_array is invalid"),
    ("kfunc-fd", "BTF fd for kfunc is not a module BTF"),
    ("kfunc-not-allowed", "calling kernel function bpf_x is not allowed"),
    ("sleeps", "program must be sleepable to call sleepable kfunc bpf_copy_from_user_str"),
    ("sleeps", "helper call is not allowed in probe"),
    ("sleeps", "kernel func bpf_x is sleepable within rcu_read_lock region"),
    ("sleeps", "sleepable helper bpf_copy_from_user#148 in rcu_read_lock region"),
    ("sleeps", "sleepable helper bpf_copy_from_user#148 in non-preemptible region"),
    ("argument-type", "R2 type=inv expected=fp, pkt, pkt_meta, map_value"),
    ("trusted", "R1 must be referenced or trusted"),
    ("struct-type", "R1 is of type file but task_struct is expected"),
    ("kfunc-type", "kernel function bpf_task_acquire args#0 expected pointer to STRUCT task_struct but R1 has a pointer to STRUCT cgroup"),
    ("release", "release kernel function bpf_x expects refcounted PTR_TO_BTF_ID"),
    ("release", "R1 must have zero offset when passed to release func or trusted arg to kfunc"),
    ("release", "func bpf_sk_release#86 reference has not been acquired before"),
    ("constant", "R3 is not a known constant'"),
    ("constant", "Invalid format string"),
    ("iterator-state", "expected an initialized iter_num as arg #1"),
    ("iterator-state", "expected valid iter_task pointer as arg #1"),
    ("dynptr-state", "Dynptr has to be an uninitialized dynptr"),
    ("dynptr-state", "Expected a dynptr of type ringbuf as arg #0"),
    ("dynptr-state", "cannot pass in dynptr at an offset=-8"),
    ("global-caller", "Caller passes invalid args into func#1"),
    ("global-return", "Global function foo() doesn't return scalar. Only those are supported."),
    ("global-argument", "Arg#0 type STRUCT in bar() is not supported yet."),
    ("unknown-instruction", "unknown opcode e5"),
    ("unknown-instruction", "unknown opcode 77"),
    ("unknown-instruction", "BPF_MOV uses reserved fields"),
    ("unknown-instruction", "BPF_JMP/JMP32 uses reserved fields"),
    ("unknown-instruction", "BPF_ATOMIC uses invalid atomic opcode a1"),
    ("unknown-instruction", "BPF_CALL uses reserved fields"),
    ("invalid-insn", "invalid bpf_ld_imm64 insn"),
    ("legacy-load", "BPF_LD_[ABS|IND] cannot be mixed with socket references"),
    ("func-info", "number of funcs in func_info doesn't match number of subprogs"),
    ("func-info", "missing btf func_info"),
    ("func-info", "func_info BTF section doesn't match subprog layout in BPF program"),
    ("func-info", "same or smaller insn offset (4) than previous func info record (9)"),
    ("line-info", "Invalid line_info[3].insn_off:99 (prev_offset:7 prog->len:12)"),
    ("line-info", "missing bpf_line_info for func#1"),
    ("core-info", "Invalid core_relo[0].insn_off:99 prog->len:12"),
    ("struct-ops-member", "attach to unsupported member get_info of struct tcp_congestion_ops"),
    ("struct-ops-member", "attach to invalid member ssthresh(@idx 4) of struct tcp_congestion_ops"),
    ("struct-ops-struct", "attach_btf_id 4 is not a supported struct"),
    ("attach-not-function", "attach_btf_id 4 is not a function"),
    ("attach-not-function", "The address of function vfs_open cannot be found"),
    ("attach-missing", "attach_btf_id 4 is invalid"),
    ("attach-missing", "Subprog nowhere doesn't exist"),
    ("attach-missing", "Tracing programs must provide btf_id"),
    ("attach-not-sleepable", "vfs_open is not sleepable"),
    ("attach-not-modifiable", "vfs_open() is not modifiable"),
    ("attach-program", "Cannot replace static functions"),
    ("attach-program", "Only FENTRY/FEXIT progs are attachable to another BPF prog"),
    ("sleepable-type", "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable"),
    ("sleepable-type", "Syscall programs can only be sleepable"),
    ("no-kernel-btf", "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig."),
    ("kernel-bug", "verifier internal error: unexpected ptr_reg"),
    ("kernel-bug", "verifier bug: not inlined functions bpf_x#1 is missing func(1)"),
    ("arena", "JIT doesn't support arena"),
    ("arena", "CAP_BPF and CAP_PERFMON are required to use arena"),
    ("arena", "arena's user address must be set via map_extra or mmap()"),
    ("rcu-section", "expected an RCU CS when using bpf_iter_css_new"),
    ("rcu-nested", "nested rcu read lock (kernel function bpf_rcu_read_lock)"),
    ("graph-lock", "bpf_spin_lock at off=16 must be held for bpf_rb_root"),
    ("graph-lock", "held lock and object are not in the same allocation"),
    ("graph-node", "rbtree_remove node input must be non-owning ref"),
    ("graph-node", "allocated object must be referenced"),
    ("timer-map", "timer pointer in R1 map_uid=3 doesn't match map pointer in R2 map_uid=4"),
    ("too-many-maps", "The total number of maps per program has reached the limit of 64"),
    ("dynptr-state", "dynptr has to be at a constant offset"),
    ("dynptr-state", "potential write to dynptr at off=-16 disallowed"),
    ("dynptr-state", "cannot pass pointer to const bpf_dynptr, the helper mutates it"),
    ("callback", "arg1 expected pointer to func"),
    ("callback", "kfunc bpf_rbtree_add#9 failed callback verification"),
    ("buffer-bounds", "R1 invalid tp_buffer buffer access: off=-4, size=4"),
    ("buffer-bounds", "R1 invalid variable buffer offset: off=0, var_off=(0x0; 0xff)"),
    ("flow-keys", "invalid access to flow keys off=60 size=4"),
    ("map-key-write", "write to change key R2 not allowed"),
    ("direct-access", "direct access to sk_buff is disallowed"),
    ("pointer-copy", "R2 sign-extension part of pointer"),
    ("read-only", "bpf_probe_read_kernel() may write into memory pointed by R1 type=rdonly_mem"),
    ("packet-access", "helper access to the packet is not allowed"),
    ("packet-access", "the prog does not allow writes to packet data"),
    ("global-arguments", "Function f has 7 > 5 args"),
    ("argument-untyped", "arg#0 reference type('FWD unknown') size cannot be determined: -22"),
    ("kfunc-return", "kernel function bpf_x returns pointer type STRUCT y is not supported"),
    ("constant", "R2 must be a known constant"),
    ("kfunc-support", "JIT does not support calling kfunc bpf_x#9"),
    ("kfunc-missing", "address of kernel function bpf_x is out of range"),
    ("attach-hook", "attach_btf_id 9 points to disabled hook bpf_lsm_x"),
    ("attach-hook", "Attaching fexit/fmod_ret to __noreturn functions is rejected."),
    ("attach-hook", "ret type STRUCT not allowed for fmod_ret"),
    ("attach-prototype", "The function x has 13 arguments. Too many."),
    ("attach-prototype", "The function x return type STRUCT is unsupported."),
    ("extension-prototype", "replaced() is not a global function"),
    ("extension-prototype", "new() has 2 args while old() has 1 args"),
    ("extension-prototype", "Return type INT of new() doesn't match type VOID of old()"),
    ("extension-prototype", "arg0 in new() is INT while old() has PTR"),
    ("struct-ops-module", "struct_ops module bpf_testmod is not found"),
    ("calls-without-jit", "JIT doesn't support bpf-to-bpf calls"),
    ("attach-program", "Cannot nest tracing program attach more than once"),
]  # fmt: skip


def facts_of(message: str, step: str = "call bpf_helper#9") -> Facts:
    return Facts(
        Log((Step(7, step, ""),), {"R0": "scalar()", "R1": "ctx()"}, (message,)),
        program_type=ProgType.SOCKET_FILTER,
        section="socket",
        names=Names(all_maps=("totals",), externs=("bpf_x",)),
    )


@pytest.mark.parametrize(("name", "message"), SAYS, ids=[x[1][:40] for x in SAYS])
def test_a_message_of_the_kernel_has_a_reason(name: str, message: str) -> None:
    found = find((message,))
    assert found is not None
    assert found[0].name == name
    for step in ("call bpf_helper#9", "exit", "r1 = *(u32 *)(r0 +4)", "r0 += r1"):
        why = reason(facts_of(message, step))
        assert why is not None
        assert why.text
        assert why.text == why.text.strip()
        assert not why.text.endswith("."), why.text
        for text in (why.text, why.hint):
            assert "None" not in text, text
            assert "  " not in text, text
            assert not re.search(r"\{\d|\(\)\(\)|\bR\d", text), text


@pytest.mark.parametrize("path", LOGS, ids=lambda x: f"{x.parent.name}-{x.stem}")
def test_a_recorded_log_has_a_known_complaint(path) -> None:
    assert find(read_log(path.read_text()).messages) is not None


def test_every_pattern_is_driven() -> None:
    names = [pattern.name for pattern in PATTERNS]
    assert len(names) == len(set(names))
    seen = {name for name, _ in SAYS}
    for path in LOGS:
        found = find(read_log(path.read_text()).messages)
        assert found is not None
        seen.add(found[0].name)
    assert seen == set(names)


def test_what_no_kernel_said_yet_is_said_to_be_likely() -> None:
    """``SEEN`` names what real logs were explained by: no more, and no less."""
    seen = set[str]()
    for path in LOGS:
        found = find(read_log(path.read_text()).messages)
        assert found is not None
        seen.add(found[0].name)
    assert seen == SEEN
    for name, message in SAYS:
        facts = facts_of(message)
        why = reason(facts)
        assert why is not None
        assert why.likely is (name not in SEEN)
        shown = str(verifier_error(22, "p", message, facts))
        assert ("\n  likely why: " in shown) is (name not in SEEN)
        assert ("\n  why: " in shown) is (name in SEEN)


NOT_ALLOWED = "program of this type cannot use helper bpf_probe_write_user#36"


def told(answer: tuple[tuple[str, ...], str] | None) -> str:
    asked: list[tuple[str, int]] = []

    def ask(name: str, number: int) -> tuple[tuple[str, ...], str] | None:
        asked.append((name, number))
        return answer

    facts = Facts(
        Log((Step(7, "call bpf_probe_write_user#36", ""),), {}, (NOT_ALLOWED,)),
        program_type=ProgType.KPROBE,
        section="uprobe",
        ask_helper=ask,
    )
    why = reason(facts)
    assert why is not None
    assert asked == [("bpf_probe_write_user", 36)]
    return f"{why.text} / {why.hint}"


def test_a_helper_that_is_not_allowed_is_asked_about() -> None:
    """Whether it is the program's type is what this kernel says, not what one thinks."""
    said = (
        'this kernel does not let programs of SEC("uprobe") call bpf_probe_write_user()'
    )
    lists = " / 'skelgen features --helpers kprobe' lists what such programs may call"
    assert told(None) == said + lists
    assert (
        told(((), "it is locked down"))
        == f"{said}, nor any others: it is locked down{lists}"
    )
    assert (
        told((("xdp", "tracing"), ""))
        == f"{said}; it does those of type xdp, tracing{lists}"
    )
    many = tuple("abcdefgh")
    assert "those of type a, b, c, d, e, f and 2 others /" in told((many, ""))
    assert told((("kprobe",), "")) == (
        f"{said}, though others of type kprobe"
        " / it depends on what they attach to, or on whether they are sleepable"
    )


MODIFIED = "dereference of modified ctx ptr R1 off=8 disallowed"


@pytest.mark.parametrize(
    ("message", "step", "text", "hint"),
    [
        (
            MODIFIED,
            "call bpf_skb_load_bytes#26",
            "wants the context itself",
            "as it is",
        ),
        (
            MODIFIED,
            "r0 = *(u32 *)(r1 +0)",
            "pointer to something in it, r1",
            "volatile",
        ),
        (
            "variable ctx access var_off=(0x0; 0x4)",
            "r0 = *(u32 *)(r1 +0)",
            "not a constant",
            "indices",
        ),
    ],
)
def test_a_context_that_was_moved_is_told_with_what_helps(
    message: str, step: str, text: str, hint: str
) -> None:
    why = reason(facts_of(message, step))
    assert why is not None
    assert text in why.text
    assert hint in why.hint


def test_hints_name_our_own_command() -> None:
    for _, message in SAYS:
        why = reason(facts_of(message))
        assert why is not None
        assert "bpftool" not in why.hint


def test_most_patterns_are_driven_by_real_logs() -> None:
    by_kernel: dict[str, set[str]] = defaultdict(set)
    for path in LOGS:
        found = find(read_log(path.read_text()).messages)
        assert found is not None
        by_kernel[path.parent.name].add(found[0].name)
    assert len(set.union(*by_kernel.values())) >= 80
    assert min(map(len, by_kernel.values())) >= 45


def test_kernels_agree_on_the_reason() -> None:
    """The same program is refused for the same reason, whatever the words."""
    reasons: dict[str, dict[str, str]] = defaultdict(dict)
    for path in LOGS:
        found = find(read_log(path.read_text()).messages)
        assert found is not None
        reasons[path.stem][path.parent.name] = found[0].name
    differing = {name for name, x in reasons.items() if len(set(x.values())) > 1}
    assert differing <= OTHER_COMPLAINTS


def test_unknown_text_has_no_reason() -> None:
    assert find(("the moon is in the wrong quarter",)) is None
    assert find(()) is None
    assert reason(Facts(read_log("R1 is as it should be"))) is None
