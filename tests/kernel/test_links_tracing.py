"""Attaching to tracepoints and functions, and what becomes of links of other processes."""

import errno
import os
import time
from pathlib import Path

import pytest

import skelgen
from skelgen.btf.types import Kind
from skelgen.model.enums import LinkType
from skelgen.runtime import (
    KprobeMultiProgram,
    KprobeProgram,
    KsyscallProgram,
    RawTracepointProgram,
    SocketProgram,
    TracepointProgram,
    TracingProgram,
    UprobeMultiProgram,
    UprobeProgram,
)
from skelgen.runtime.errors import AttachError, BpfOSError, NotSupportedError
from skelgen.runtime.kernel import features, symbols, tracefs
from tests.harness import privilege, sources
from tests.harness.programs import Counter, LoadProgram, btf_id, insn, load_or_skip

FORK = "sched_process_fork"


def fork() -> None:
    """Make a child that ends at once: ``sched_process_fork`` in this process."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def test_a_tracepoint_fires_until_it_is_destroyed(
    counter: Counter, load: LoadProgram
) -> None:
    program = load(
        f"tp/sched/{FORK}", TracepointProgram, insns=counter.insns(here=True)
    )
    assert program.auto_attachable
    mounts = Path("/proc/self/mountinfo").read_bytes()
    with program.attach() as link:
        fork()
        fork()
        if features.PERF_LINK.supported():
            info = link.info()
            assert info.type == LinkType.PERF_EVENT
            assert info.prog_id == program.info().id
    fork()
    assert counter.value == 2
    assert Path("/proc/self/mountinfo").read_bytes() == mounts


def test_attaching_twice_says_what_is_there(
    counter: Counter, load: LoadProgram
) -> None:
    program = load(f"tp/sched/{FORK}", TracepointProgram, insns=counter.insns())
    with program.attach():
        with pytest.raises(FileExistsError) as caught:
            program.attach()
        assert "the program is attached there already" in caught.value.__notes__[0]
    program.attach().destroy()


def test_a_cookie_reaches_the_program(load: LoadProgram) -> None:
    privilege.require("attach cookies", features.BPF_COOKIE.answer())
    with Counter() as counter:
        insns = counter.insns_if_cookie(0xC00C1E)
        program = load(f"tp/sched/{FORK}", TracepointProgram, insns=insns)
        other = load(f"tp/sched/{FORK}", TracepointProgram, insns=insns)
        with program.attach(cookie=0xC00C1E), other.attach(cookie=1):
            fork()
        assert counter.value == 1


def test_a_tracepoint_that_is_not_there_is_an_error_that_suggests_one(
    load: LoadProgram,
) -> None:
    program = load("tp/sched/sched_process_frok", TracepointProgram)
    with pytest.raises(AttachError, match="no tracepoint") as caught:
        program.attach()
    assert FORK in caught.value.__notes__[0]


def test_a_private_tracefs_is_mounted_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracefs, "PLACES", ())
    mounts = Path("/proc/self/mountinfo").read_bytes()
    with tracefs.Tracefs() as fs:
        assert fs.event_id("sched", FORK) > 0
        assert "sched_switch" in fs.events("sched")
        assert Path("/proc/self/mountinfo").read_bytes() == mounts


def test_it_fires_without_a_bpf_link_too(counter: Counter, load: LoadProgram) -> None:
    program = load(
        f"tp/sched/{FORK}", TracepointProgram, insns=counter.insns(here=True)
    )
    features.PERF_LINK.assume(False)
    try:
        link = program.attach()
    finally:
        features.PERF_LINK.forget()
    with link:
        fork()
        with pytest.raises(NotSupportedError, match="without a BPF link"):
            link.info()
    fork()
    assert counter.value == 1


def test_a_raw_tracepoint_fires_until_it_is_destroyed(
    counter: Counter, load: LoadProgram
) -> None:
    program = load(
        f"raw_tp/{FORK}", RawTracepointProgram, insns=counter.insns(here=True)
    )
    with program.attach() as link:
        fork()
        info = link.info()
        assert (info.type, info.target) == (LinkType.RAW_TRACEPOINT, FORK)
    fork()
    assert counter.value == 1
    with pytest.raises(AttachError, match="no raw tracepoint 'no_such' in this kernel"):
        program.attach("no_such")


def test_a_writable_raw_tracepoint_writes(load: LoadProgram) -> None:
    # bpf_test_finish(int *err) is called when BPF_PROG_TEST_RUN ends
    write = (
        insn(0xBF, 6, 1)  # r6 = r1
        + insn(0x85, imm=14)  # r0 = bpf_get_current_pid_tgid()
        + insn(0x77, 0, imm=32)  # r0 >>= 32
        + insn(0x55, 0, off=2, imm=os.getpid())  # if r0 != pid: skip
        + insn(0x79, 1, 6)  # r1 = *(u64 *)r6
        + insn(0x62, 1, imm=-errno.ECHRNG)  # *(u32 *)r1 = -ECHRNG
        + insn(0xB7, 0)
        + insn(0x95)
    )
    victim = load("socket", SocketProgram, name="victim")
    program = load("raw_tp.w/bpf_test_finish", RawTracepointProgram, insns=write)
    with program.attach(), pytest.raises(BpfOSError, match="ECHRNG"):
        victim.test_run(bytes(64))
    assert victim.test_run(bytes(64)).retval == 0


def test_a_btf_tracepoint_fires_until_it_is_destroyed(
    counter: Counter, load: LoadProgram
) -> None:
    program = load(
        f"tp_btf/{FORK}",
        TracingProgram,
        insns=counter.insns(here=True),
        attach_btf_id=btf_id(f"btf_trace_{FORK}", Kind.TYPEDEF),
    )
    with program.attach() as link:
        fork()
        info = link.info()
        assert (info.type, info.target) == (LinkType.RAW_TRACEPOINT, FORK)
    fork()
    assert counter.value == 1


# -- functions -----------------------------------------------------------------


@pytest.mark.parametrize("word", ["fentry", "fexit", "fmod_ret"])
def test_a_function_is_traced(counter: Counter, load: LoadProgram, word: str) -> None:
    # fmod_ret takes functions of security modules, or made for error injection
    name = "security_task_getsid" if word == "fmod_ret" else "__x64_sys_getsid"
    program = load_or_skip(
        load,
        f"{word}/{name}",
        cls=TracingProgram,
        insns=counter.insns(here=True),
        attach_btf_id=btf_id(name, Kind.FUNC),
    )
    with program.attach() as link:
        os.getsid(os.getpid())
        assert link.info().type == LinkType.TRACING
    os.getsid(os.getpid())
    assert counter.value == 1


def needs_kprobes() -> None:
    if not features.KPROBE_PMU.supported():
        pytest.skip("this kernel has no kprobes")


@pytest.mark.parametrize("word", ["ksyscall", "kretsyscall"])
def test_a_system_call_is_probed(
    counter: Counter, load: LoadProgram, word: str
) -> None:
    needs_kprobes()
    program = load(f"{word}/getsid", KsyscallProgram, insns=counter.insns(here=True))
    with program.attach() as link:
        os.getsid(0)
        os.getsid(0)
        if features.PERF_LINK.supported():
            assert link.info().type == LinkType.PERF_EVENT
    os.getsid(0)
    assert counter.value == 2


def test_a_probe_by_way_of_tracefs_fires_and_is_removed(
    counter: Counter, load: LoadProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skelgen.runtime.links import probe

    needs_kprobes()
    monkeypatch.setattr(probe, "pmu_number", lambda *_key: None)
    program = load(
        "kretprobe/__x64_sys_getsid", KprobeProgram, insns=counter.insns(here=True)
    )
    with tracefs.Tracefs() as fs:
        with program.attach():
            os.getsid(0)
            assert f"skelgen_{os.getpid()}_".encode() in fs.read("kprobe_events")
        os.getsid(0)
        assert f"skelgen_{os.getpid()}_".encode() not in fs.read("kprobe_events")
    assert counter.value == 1


def test_a_kernel_function_that_is_not_there_cannot_be_probed(
    load: LoadProgram,
) -> None:
    program = load("kprobe/zq", KprobeProgram)
    if features.KPROBE_PMU.supported():
        with pytest.raises(AttachError, match="no kernel function 'zq'"):
            program.attach()
    else:
        with pytest.raises(NotSupportedError, match="this kernel has no kprobes"):
            program.attach()


def test_functions_of_a_pattern_are_probed_by_one_link(
    counter: Counter, load: LoadProgram
) -> None:
    needs_kprobes()
    try:
        program = load(
            "kprobe.multi/__x64_sys_gets?d",
            KprobeMultiProgram,
            insns=counter.insns(here=True),
        )
        link = program.attach()
    except BpfOSError as error:
        pytest.skip(f"this kernel has no kprobe.multi: {error}")
    with link:
        os.getsid(0)
        assert link.info().type == LinkType.KPROBE_MULTI
    os.getsid(0)
    assert counter.value == 1


def test_exact_names_are_probed_without_lists_of_functions(
    counter: Counter, load: LoadProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = features.attach_type("trace_kprobe_multi")
    privilege.require("kprobe.multi", answer, "CONFIG_FPROBE")
    program = load("kprobe.multi", KprobeMultiProgram, insns=counter.insns(here=True))
    names = ["__x64_sys_getsid", "__x64_sys_getpgid"]
    with monkeypatch.context() as nothing_to_read:
        nothing_to_read.setattr(symbols, "KALLSYMS", "/nonexistent")
        nothing_to_read.setattr(tracefs, "PLACES", ())
        nothing_to_read.setattr(tracefs, "_private_mount", None)
        with program.attach(functions=names) as link:
            os.getsid(0)
            os.getpgid(0)
            assert link.info().target_count == 2
    assert counter.value == 2
    with pytest.raises(AttachError, match="no kernel function 'getsid_not' to probe"):
        program.attach(functions=[*names, "getsid_not"])


# -- files ---------------------------------------------------------------------


@pytest.mark.parametrize("word", ["uprobe", "uretprobe"])
def test_a_library_function_is_probed(
    counter: Counter, load: LoadProgram, word: str
) -> None:
    if not features.UPROBE_PMU.supported():
        pytest.skip("this kernel has no uprobes")
    program = load(
        f"{word}/libc.so.6:getppid", UprobeProgram, insns=counter.insns(here=True)
    )
    assert program.auto_attachable
    with program.attach(pid=os.getpid()) as link:
        os.getppid()
        os.getppid()
        if features.PERF_LINK.supported():
            assert link.info().type == LinkType.PERF_EVENT
    os.getppid()
    assert counter.value == 2


def test_library_functions_of_a_pattern_are_probed_by_one_link(
    counter: Counter, load: LoadProgram
) -> None:
    privilege.require("uprobe.multi", features.UPROBE_MULTI_LINK.answer())
    program = load(
        "uprobe.multi/libc.so.6:getpp*",
        UprobeMultiProgram,
        insns=counter.insns(here=True),
    )
    with program.attach(pid=0) as link:
        os.getppid()
        info = link.info()
        assert (info.type, info.target_count) == (LinkType.UPROBE_MULTI, 1)
        assert (info.target or "").endswith("libc.so.6")
    os.getppid()
    assert counter.value == 1


# -- processes -----------------------------------------------------------------


def test_a_childs_destroy_leaves_the_parents_link(
    counter: Counter, load: LoadProgram
) -> None:
    program = load(
        f"tp/sched/{FORK}", TracepointProgram, insns=counter.insns(here=True)
    )
    for with_link in (True, False):
        if not with_link:
            features.PERF_LINK.assume(False)
        link = program.attach()
        features.PERF_LINK.forget()
        before = counter.value
        child = os.fork()
        if child == 0:
            link.destroy()
            program.close()
            os._exit(0)
        os.waitpid(child, 0)
        fork()
        link.destroy()
        assert counter.value - before == 2


def test_a_pinned_link_survives_and_is_found(
    counter: Counter, load: LoadProgram, bpffs: object
) -> None:
    path = bpffs.path / "link"  # type: ignore[attr-defined]
    program = load(
        f"raw_tp/{FORK}", RawTracepointProgram, insns=counter.insns(here=True)
    )
    link = program.attach()
    link.pin(path)
    link.destroy()
    fork()
    assert counter.value == 1
    again = type(link).from_pin(path)
    assert again.info().prog_id == program.info().id
    again.unpin()
    again.destroy()

    def fires() -> bool:
        before = counter.value
        fork()
        return counter.value > before

    # the pin's inode lets go of the link after a grace period of RCU
    deadline = time.monotonic() + 20
    while fires():
        assert time.monotonic() < deadline, "it is attached still"
        time.sleep(0.01)


def test_a_section_that_leads_nowhere_fails_attach_unless_skipped() -> None:
    path = sources.compiled(sources.find("prog_misnamed"))
    with skelgen.open_object(path) as obj:
        for name in ("exit_probe", "usdt"):
            obj.programs[name].autoload = False  # not every kernel has kprobes
        obj.load()
        with pytest.raises(AttachError, match=r'SEC\("tp/unused"\) does not say where'):
            obj.attach()
        assert obj.links == {}
        assert [*obj.attach(skip={"next"}).attached] == ["first"]
        obj.detach()
        obj.programs["next"].autoattach = False
        assert [*obj.attach().attached] == ["first"]
