"""Attaching through perf events: tracepoints, kprobes, uprobes, on new and old kernels."""

import errno
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import (
    KprobeMultiProgram,
    KprobeProgram,
    KsyscallProgram,
    PerfEventProgram,
    Program,
    RawTracepointProgram,
    StructOpsProgram,
    TracepointProgram,
    TracingProgram,
    UprobeMultiProgram,
    UprobeProgram,
    UsdtProgram,
    XdpProgram,
    syscalls,
)
from skelgen.runtime.errors import (
    AttachError,
    BpfOSError,
    ClosedError,
    NotSupportedError,
    StateError,
    TargetNotFoundError,
)
from skelgen.runtime.kernel import cpus, features, symbols, tracefs
from skelgen.runtime.links import probe
from skelgen.runtime.links.base import Link
from skelgen.runtime.links.per_cpu import PerCpuLink
from skelgen.runtime.links.perf_event import PerfEventLink
from skelgen.runtime.programs import perf_event
from tests.harness.elf_files import CODE, CODE_OFFSET, IFUNC, Builder, Sym
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.programs import loaded, opened

SWITCH = "sched_switch"
ENABLE, DISABLE, SET_BPF = (
    syscalls.PERF_EVENT_IOC_ENABLE,
    syscalls.PERF_EVENT_IOC_DISABLE,
    syscalls.PERF_EVENT_IOC_SET_BPF,
)


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that looks like tracefs, with one event."""
    event = tmp_path / "events/sched/sched_switch"
    event.mkdir(parents=True)
    (event / "id").write_text("301\n", "ascii")
    (tmp_path / "available_events").write_text("sched:sched_switch\n", "ascii")
    for control in ("kprobe_events", "uprobe_events"):
        (tmp_path / control).touch()
    monkeypatch.setattr(tracefs, "PLACES", (str(tmp_path),))
    return tmp_path


@pytest.fixture
def perf_link(kernel: FakeKernel) -> None:
    features.PERF_LINK.assume(True)


@pytest.fixture
def no_perf_link(kernel: FakeKernel) -> None:
    features.PERF_LINK.assume(False)


@pytest.fixture
def pmu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the kernel a kprobe and a uprobe PMU."""
    numbers = {
        ("kprobe", "type"): 8,
        ("kprobe", "format/retprobe"): 0,
        ("uprobe", "type"): 9,
        ("uprobe", "format/retprobe"): 1,
    }
    monkeypatch.setattr(probe, "pmu_number", lambda *key: numbers.get(key))


@pytest.fixture
def no_pmu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "pmu_number", lambda *_key: None)


def ioctls(kernel: FakeKernel) -> list[int]:
    return [call.args[1] for call in kernel.named("ioctl")]


# -- tracepoints ---------------------------------------------------------------


@pytest.mark.usefixtures("trace", "perf_link")
def test_a_tracepoint_is_attached_with_a_link(kernel: FakeKernel) -> None:
    program = loaded("tp/sched/sched_switch", TracepointProgram)
    link = program.attach(cookie=7)
    assert kernel.names() == ["PROG_LOAD", "perf_event_open", "LINK_CREATE", "ioctl"]
    (event,) = kernel.named("perf_event_open")
    assert event.values("type", "config") == [syscalls.PERF_TYPE_TRACEPOINT, 301]
    assert event.args[1:5] == (-1, 0, -1, 8)
    (create,) = kernel.named("LINK_CREATE")
    assert create.attr.prog_fd == program.fd()
    assert create.attr.attach_type == AttachType.PERF_EVENT
    assert create.attr.perf_event.bpf_cookie == 7
    assert kernel.named("ioctl")[0].args[:2] == (create.attr.target_fd, ENABLE)
    # the link holds the event, so its fd is not kept
    assert kernel.open == {program.fd(), link.fd()}
    link.destroy()
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("trace", "no_perf_link")
def test_before_5_15_the_event_itself_runs_the_program(kernel: FakeKernel) -> None:
    program = loaded("tp/sched/sched_switch", TracepointProgram)
    link = program.attach()
    assert isinstance(link, PerfEventLink)
    assert ioctls(kernel) == [SET_BPF, ENABLE]
    assert kernel.named("ioctl")[0].args == (link.fd(), SET_BPF, program.fd(), 0, 0, 0)
    with pytest.raises(NotSupportedError, match=r"without a BPF link.*Linux 5\.15"):
        link.info()
    with pytest.raises(NotSupportedError, match="no pins"):
        link.pin("/sys/fs/bpf/x")
    link.destroy()
    link.destroy()
    assert ioctls(kernel) == [SET_BPF, ENABLE, DISABLE]
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("trace", "no_perf_link")
def test_a_cookie_needs_a_link(kernel: FakeKernel) -> None:
    program = loaded("tp/sched/sched_switch", TracepointProgram)
    with pytest.raises(NotSupportedError, match="no attach cookie") as caught:
        program.attach(cookie=1)
    assert caught.value.since == "5.15"
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("trace", "perf_link")
@pytest.mark.parametrize("call", ["LINK_CREATE", "ioctl"])
def test_a_failure_leaves_nothing_open(kernel: FakeKernel, call: str) -> None:
    program = loaded("tp/sched/sched_switch", TracepointProgram)
    kernel.then(call, -errno.EEXIST)
    with pytest.raises(FileExistsError) as caught:
        program.attach()
    assert "program 'prog' on tracepoint 'sched/sched_switch'" in str(caught.value)
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("kernel")
def test_a_missing_tracepoint_is_said_with_similar_ones(trace: Path) -> None:
    program = loaded("tp/sched/sched_swich", TracepointProgram)
    with pytest.raises(AttachError) as caught:
        program.attach()
    assert str(caught.value) == (
        "program 'prog': no tracepoint 'sched/sched_swich' in this kernel"
    )
    assert caught.value.__notes__ == ["did you mean 'sched_switch'?"]
    for category, event, note in (
        ("sced", "no_such", "there is no category 'sced'; did you mean 'sched'?"),
        ("zzz", "no_such", "there is no category 'zzz'"),
        ("shed", "sched_switch", "there is 'sched/sched_switch'"),
    ):
        with pytest.raises(AttachError) as caught:
            program.attach(category, event)
        assert caught.value.__notes__ == [note]


@pytest.mark.usefixtures("trace")
@pytest.mark.parametrize(
    ("event", "notes"),
    [
        ("sched_swich", ["did you mean 'sched_switch'?"]),
        (
            "sched/sched_switch",
            [
                f"raw tracepoints are without a category: '{SWITCH}', not 'sched/{SWITCH}'"
            ],
        ),
        ("zzz", []),
    ],
)
def test_a_missing_raw_tracepoint(
    kernel: FakeKernel, event: str, notes: list[str]
) -> None:
    program = loaded("raw_tp", RawTracepointProgram)
    kernel.always("RAW_TRACEPOINT_OPEN", -errno.ENOENT)
    with pytest.raises(AttachError, match=f"no raw tracepoint '{event}' in") as caught:
        program.attach(event)
    assert getattr(caught.value, "__notes__", []) == notes


def test_attach_comes_after_load_and_before_destroy(kernel: FakeKernel) -> None:
    program = opened("tp/sched/sched_switch", TracepointProgram)
    with pytest.raises(StateError, match="not loaded; call load"):
        program.attach()
    program = opened("?tp/sched/sched_switch", TracepointProgram)
    with pytest.raises(StateError, match="not loaded; its autoload is off"):
        program.attach()
    program.close()
    with pytest.raises(ClosedError, match="destroyed already"):
        program.attach()
    assert not kernel.calls


def test_a_bare_section_asks_for_the_target(kernel: FakeKernel) -> None:
    program = loaded("tp", TracepointProgram)
    assert not program.auto_attachable
    with pytest.raises(AttachError) as caught:
        program.attach()
    assert str(caught.value) == (
        "program 'prog': SEC(\"tp\") does not say where to attach; "
        "call attach(category, event)"
    )
    assert opened("tp/a/b", TracepointProgram).auto_attachable


@pytest.mark.parametrize(
    ("section", "kind", "misnamed"),
    [
        ("tp/unused", TracepointProgram, True),
        ("kretprobe/f+8", KprobeProgram, True),
        ("kretprobe.multi/a b", KprobeMultiProgram, True),
        ("usdt/a", UsdtProgram, True),
        ("uretprobe//a:f+8", UprobeProgram, True),
        ("fentry.multi/a b", Program, True),
        ("tp", TracepointProgram, False),
        ("tp/a/b", TracepointProgram, False),
        ("kretprobe/f", KprobeProgram, False),
        ("kprobe.multi/*", KprobeMultiProgram, False),
        ("uprobe/text", UprobeProgram, False),
        ("ksyscall/f", KsyscallProgram, False),
        ("fentry/f", TracingProgram, False),
        ("xdp/devmap", XdpProgram, False),
        ("struct_ops/f", StructOpsProgram, False),
        ("mine/f", Program, False),
    ],
)
def test_a_target_that_cannot_be_read(
    kernel: FakeKernel,
    section: str,
    kind: type[Program],
    *,
    misnamed: bool,
) -> None:
    program = loaded(section, kind)
    assert program.misnamed == misnamed
    if misnamed:
        assert not program.auto_attachable
        with pytest.raises(AttachError):
            program.attach()


# -- tracefs -------------------------------------------------------------------


def test_without_tracefs_a_private_mount_is_taken(
    kernel: FakeKernel, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracefs, "PLACES", ("/nonexistent",))
    root = os.open(trace, os.O_RDONLY)
    kernel.then("fsmount", root)
    with tracefs.Tracefs() as fs:
        assert fs.event_id("sched", "sched_switch") == 301
    assert kernel.names() == ["fsopen", "fsconfig", "fsmount"]
    assert not kernel.open


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errno.EPERM, "tracefs: not mounted, and no private mount was to be had"),
        (errno.ENODEV, r"tracefs: this kernel has none \(CONFIG_TRACING\)"),
        (errno.ENOSYS, "not mounted, and no private mount"),
    ],
)
def test_no_tracefs_at_all(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, error: int, text: str
) -> None:
    monkeypatch.setattr(tracefs, "PLACES", ("/nonexistent",))
    kernel.always("fsopen", -error)
    program = loaded("tp/sched/sched_switch", TracepointProgram)
    with pytest.raises(AttachError, match=text):
        program.attach()
    program.close()
    assert not kernel.open


# -- kprobes -------------------------------------------------------------------


@pytest.mark.usefixtures("pmu", "perf_link")
def test_a_kprobe_names_its_function(kernel: FakeKernel) -> None:
    seen: list[str] = []
    kernel.then("perf_event_open", lambda call: seen.append(call.text("kprobe_func")))
    program = loaded("kprobe/do_unlinkat+0x10", KprobeProgram)
    link = program.attach(cookie=3)
    (event,) = kernel.named("perf_event_open")
    assert event.values("type", "config", "probe_offset") == [8, 0, 16]
    assert seen == ["do_unlinkat"]
    assert kernel.named("LINK_CREATE")[0].attr.perf_event.bpf_cookie == 3
    assert type(link) is Link


@pytest.mark.usefixtures("pmu", "perf_link")
def test_a_kretprobe_sets_the_bit_that_sysfs_says(kernel: FakeKernel) -> None:
    loaded("kretprobe/do_unlinkat", KprobeProgram).attach()
    loaded("kprobe/do_unlinkat", KprobeProgram).attach("vfs_read", retprobe=True)
    assert [c.attr.config for c in kernel.named("perf_event_open")] == [1, 1]


@pytest.mark.usefixtures("pmu", "perf_link")
def test_a_kprobe_at_an_address_names_nothing(kernel: FakeKernel) -> None:
    loaded("kprobe", KprobeProgram).attach(address=0xFFFFFFFF81000000)
    (event,) = kernel.named("perf_event_open")
    assert event.values("kprobe_func", "kprobe_addr") == [0, 0xFFFFFFFF81000000]


@pytest.mark.usefixtures("pmu", "perf_link")
def test_a_kernel_function_that_is_not_there(kernel: FakeKernel) -> None:
    program = loaded("kprobe/no_such_function", KprobeProgram)
    kernel.then("perf_event_open", -errno.ENOENT, -errno.EINVAL, -errno.EACCES)
    with pytest.raises(AttachError) as caught:
        program.attach()
    assert str(caught.value) == (
        "program 'prog': no kernel function 'no_such_function' to probe"
    )
    with pytest.raises(AttachError, match="cannot be probed at offset 0x0") as caught:
        program.attach()
    assert "blacklist" in caught.value.__notes__[0]
    with pytest.raises(PermissionError):
        program.attach()


@pytest.fixture
def events(trace: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines written to ``kprobe_events`` and ``uprobe_events``.

    The folder gets the event of each, as the kernel would make it.
    """
    lines: list[str] = []
    append = tracefs.Tracefs.append

    def record(self: tracefs.Tracefs, path: str, line: str) -> None:
        append(self, path, line)
        lines.append(line)
        name = line.split(None, 1)[0].partition(":")[2]
        event = trace / "events" / name
        if not line.startswith("-"):
            event.mkdir(parents=True)
            (event / "id").write_text("77\n", "ascii")

    monkeypatch.setattr(tracefs.Tracefs, "append", record)
    return lines


@pytest.mark.usefixtures("no_pmu", "perf_link")
def test_without_a_pmu_tracefs_makes_the_event(
    kernel: FakeKernel, events: list[str]
) -> None:
    program = loaded("kretprobe/do_unlinkat", KprobeProgram)
    link = program.attach()
    (event,) = kernel.named("perf_event_open")
    assert event.values("type", "config") == [syscalls.PERF_TYPE_TRACEPOINT, 77]
    (line,) = events
    name = line.split()[0].removeprefix("r:")
    assert name.startswith(f"skelgen/skelgen_{os.getpid()}_")
    assert line == f"r:{name} do_unlinkat+0x0"
    link.destroy()
    assert events[1:] == [f"-:{name}"]
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("no_pmu", "perf_link")
def test_an_event_is_removed_when_it_cannot_be_attached(
    kernel: FakeKernel, events: list[str]
) -> None:
    program = loaded("kprobe/do_unlinkat", KprobeProgram)
    for call in ("perf_event_open", "LINK_CREATE"):
        events.clear()
        kernel.then(call, -errno.EBUSY)
        with pytest.raises(BpfOSError, match="EBUSY"):
            program.attach()
        assert [line[:2] for line in events] == ["p:", "-:"]
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("no_pmu")
def test_a_kernel_without_kprobes_is_told_from_one_without_the_function(
    kernel: FakeKernel, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = loaded("kprobe/do_unlinkat", KprobeProgram)
    (trace / "kprobe_events").unlink()
    with pytest.raises(NotSupportedError, match=r"no kprobes \(CONFIG_KPROBE_EVENTS\)"):
        program.attach()

    def no_function(_self: tracefs.Tracefs, _path: str, _line: str) -> None:
        raise FileNotFoundError(errno.ENOENT, "no such function")

    monkeypatch.setattr(tracefs.Tracefs, "append", no_function)
    with pytest.raises(AttachError, match="no kernel function 'do_unlinkat'"):
        program.attach()
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("pmu", "perf_link")
@pytest.mark.parametrize(
    ("wrapper", "function"), [(True, "__x64_sys_bpf"), (False, "__se_sys_bpf")]
)
def test_ksyscall_knows_how_the_kernel_calls_it(
    kernel: FakeKernel,
    monkeypatch: pytest.MonkeyPatch,
    wrapper: bool,  # noqa: FBT001 (a parameter of the test)
    function: str,
) -> None:

    monkeypatch.setattr(symbols, "SYSCALL_PREFIX", "x64")
    features.SYSCALL_WRAPPER.assume(wrapper)
    seen: list[str] = []
    kernel.then("perf_event_open", lambda call: seen.append(call.text("kprobe_func")))
    program = loaded("kretsyscall/bpf", KsyscallProgram)
    assert program.auto_attachable
    program.attach()
    assert seen == [function]
    assert kernel.named("perf_event_open")[0].attr.config == 1


# -- uprobes -------------------------------------------------------------------


@pytest.mark.usefixtures("pmu", "perf_link")
@pytest.mark.parametrize(
    ("pid", "cpu"), [(-1, 0), (0, -1), (42, -1)], ids=["all", "self", "one"]
)
def test_a_uprobe_names_file_and_offset(kernel: FakeKernel, pid: int, cpu: int) -> None:
    seen: list[str] = []
    kernel.then("perf_event_open", lambda call: seen.append(call.text("uprobe_path")))
    program = loaded("uretprobe", UprobeProgram)
    program.attach("/bin/true", offset=0x40, pid=pid, ref_ctr_offset=0x99)
    (event,) = kernel.named("perf_event_open")
    assert event.attr.type == 9
    assert event.attr.config == 0x99 << 32 | 1 << 1
    assert event.attr.probe_offset == 0x40
    assert event.args[1:3] == (pid, cpu)
    assert seen == ["/bin/true"]


@pytest.mark.usefixtures("no_pmu", "perf_link")
def test_uprobes_of_old_kernels_are_made_in_tracefs(
    kernel: FakeKernel, events: list[str]
) -> None:
    program = loaded("uprobe", UprobeProgram)
    with program.attach("/bin/true", offset=0x40, ref_ctr_offset=0x99):
        assert events[0].endswith(" /bin/true:0x40(0x99)")
    assert events[1].startswith("-:skelgen/")
    program.close()
    assert not kernel.open


def test_what_uprobes_cannot_find(kernel: FakeKernel) -> None:
    program = loaded("uprobe//bin/true:no_such_function", UprobeProgram)
    with pytest.raises(AttachError, match="no function 'no_such_function'"):
        program.attach()
    with pytest.raises(AttachError, match=r"no library 'nowhere\.so\.1'"):
        program.attach("nowhere.so.1", "main")
    with pytest.raises(AttachError, match="not an ELF file"):
        program.attach("/etc/passwd", "main")
    with pytest.raises(TargetNotFoundError, match="no file '/nonexistent/file'"):
        program.attach("/nonexistent/file", "main")
    with pytest.raises(TargetNotFoundError, match="no file '/etc/passwd/x'"):
        program.attach("/etc/passwd/x", offset=0)
    bare = loaded("uprobe", UprobeProgram)
    with pytest.raises(AttachError, match=r"call attach\(path, function\)"):
        bare.attach()
    with pytest.raises(AttachError, match="'/bin/true' needs a function"):
        bare.attach("/bin/true")
    assert not kernel.named("perf_event_open")


def test_a_missing_file_is_told_as_python_tells_it(kernel: FakeKernel) -> None:
    program = loaded("uprobe", UprobeProgram)
    for path, text in (
        ("/nonexistent/file", "no file '/nonexistent/file'"),
        ("nowhere.so.1", "no library 'nowhere.so.1' in LD_LIBRARY_PATH or the usual"),
        ("nowhere", "no program 'nowhere' in PATH or the usual directories; "),
    ):
        with pytest.raises(AttachError) as caught:
            program.attach(path, offset=0)
        assert str(caught.value).startswith(f"program 'prog': {text}")
        assert isinstance(caught.value, FileNotFoundError)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, path)
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made here
        assert (str(again), again.filename) == (str(caught.value), path)
    assert not kernel.named("perf_event_open")


@pytest.mark.usefixtures("kernel")
def test_a_library_that_is_called_by_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = loaded("uprobe", UprobeProgram)
    (tmp_path / "libzealous.so.6").touch()
    (tmp_path / "libzealous.so").touch()  # a script of the linker's
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}:{tmp_path / 'none'}")
    for name in ("zealous", "libzealous"):  # as BCC has it
        with pytest.raises(AttachError, match=r"; the library is 'libzealous\.so\.6'$"):
            program.attach(name, "main")
    with pytest.raises(AttachError, match=r"did you mean 'libzealous\.so\.6'"):
        program.attach("libzealuos.so.6", "main")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a program with functions ``f``, ``g`` and the resolver ``choose``."""
    builder = Builder()
    builder.symtab([Sym("f"), Sym("g", CODE + 0x40), Sym("choose", CODE + 0x80, IFUNC)])
    path = tmp_path / "victim"
    path.write_bytes(builder.build())
    return path


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"offset": -1}, ValueError, "offset -1 is negative"),
        ({"function": "f", "offset": -4}, ValueError, "offset -4 is negative"),
        (
            {"offset": 2**63},
            ValueError,
            "offset 0x8000000000000000 is past the end of",
        ),
        ({"function": "f", "offset": 1 << 20}, ValueError, "offset 0x100000 is past"),
        ({"offset": 2**64}, OverflowError, "offset must be int"),
        ({"offset": "8"}, TypeError, "offset must be int or None, got str"),
        ({"offset": 8.0}, TypeError, "offset must be int or None, got float"),
        ({"offset": True}, TypeError, "offset: a whole number is wanted, not bool"),
        ({"offset": 8, "pid": -2}, ValueError, "-2 is no process id"),
        ({"offset": 8, "pid": 1 << 40}, ValueError, "is no process id"),
        ({"offset": 8, "pid": "1"}, TypeError, "pid must be int or None, got str"),
        ({"offset": 8, "ref_ctr_offset": -1}, ValueError, "ref_ctr_offset -1 is no"),
        ({"offset": 8, "ref_ctr_offset": 1 << 32}, ValueError, "is no file offset"),
    ],
)
def test_what_is_no_place_in_a_file(
    kernel: FakeKernel,
    victim: Path,
    options: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    program = loaded("uprobe", UprobeProgram)
    with pytest.raises(error, match=text) as caught:
        program.attach(victim, **options)
    assert str(caught.value).startswith("program 'prog': ")
    assert not kernel.named("perf_event_open")


def test_what_is_no_place_of_many(kernel: FakeKernel, victim: Path) -> None:
    program = loaded("uprobe.multi", UprobeMultiProgram)
    with pytest.raises(ValueError, match="offset -1 is negative"):
        program.attach(victim, offsets=[8, -1])
    with pytest.raises(ValueError, match="is past the end"):
        program.attach(victim, offsets=[1 << 40])
    with pytest.raises(ValueError, match="only one of pattern, functions and offsets"):
        program.attach(victim, "f*", offsets=[8])
    with pytest.raises(ValueError, match="3 cookies for 2 places"):
        program.attach(victim, functions=["f", "g"], cookies=[1, 2, 3])
    with pytest.raises(AttachError, match="victim': no function 'h'"):
        program.attach(victim, functions=["f", "h"])
    assert not kernel.named("LINK_CREATE")


def test_functions_have_their_cookies_in_order(
    kernel: FakeKernel, victim: Path
) -> None:
    seen: list[tuple[int, ...]] = []

    def look(call: Call) -> None:
        # link_create.uprobe_multi.offsets follows path
        seen.append(struct.unpack("=2Q", call.memory("uprobe_multi.offsets", 16)))

    kernel.then("LINK_CREATE", look)
    program = loaded("uprobe.multi", UprobeMultiProgram)
    program.attach(victim, functions=["g", "f"], cookies=[1, 2])
    assert seen == [(CODE_OFFSET + 0x40, CODE_OFFSET)]


@pytest.mark.usefixtures("kernel", "pmu", "perf_link")
def test_a_function_that_only_chooses_is_told(victim: Path) -> None:
    program = loaded("uprobe", UprobeProgram)
    with pytest.warns(RuntimeWarning, match=r"'choose' only chooses the function"):
        program.attach(victim, "choose")
    multi = loaded("uprobe.multi", UprobeMultiProgram)
    with pytest.warns(RuntimeWarning, match=r"'choose' only chooses") as caught:
        multi.attach(victim, "*")
    assert caught[0].filename == __file__


def test_code_of_another_machine(kernel: FakeKernel, tmp_path: Path) -> None:
    builder = Builder()
    builder.machine = 0xF7F7
    builder.symtab([Sym("f")])
    path = tmp_path / "other"
    path.write_bytes(builder.build())
    program = loaded("uprobe", UprobeProgram)
    with pytest.raises(
        AttachError, match=r"is for another machine \(ELF's number 63479"
    ):
        program.attach(path, "f")


@pytest.mark.usefixtures("no_pmu")
@pytest.mark.parametrize(
    ("section", "kind", "code", "text"),
    [
        (
            "uprobe.multi",
            "TRACE_UPROBE_MULTI",
            errno.EINVAL,
            r"no uprobe\.multi .*6\.6 ",
        ),
        ("uprobe.session", "TRACE_UPROBE_SESSION", errno.EINVAL, r"session .*6\.13"),
        (
            "uprobe.multi",
            "TRACE_UPROBE_MULTI",
            errno.EOPNOTSUPP,
            "without CONFIG_UPROBES",
        ),
    ],
)
def test_an_attach_type_that_the_kernel_has_not(
    kernel: FakeKernel, victim: Path, section: str, kind: str, code: int, text: str
) -> None:
    program = loaded(section, UprobeMultiProgram)
    kernel.always("LINK_CREATE", -code)
    with pytest.raises(NotSupportedError, match=text) as caught:
        program.attach(victim, "f")
    assert caught.value.feature == section
    assert str(caught.value).startswith("program 'prog' on 1 place in '")
    assert caught.value.errno == code


# -- perf events ---------------------------------------------------------------


@pytest.fixture
def three_cpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give the machine CPUs 0, 1 and 3."""
    online = tmp_path / "online"
    online.write_text("0-1,3\n", "ascii")
    monkeypatch.setattr(cpus, "ONLINE", str(online))


def places(kernel: FakeKernel) -> list[tuple[int, ...]]:
    """Return pid and CPU of each event that was opened."""
    return [call.args[1:3] for call in kernel.named("perf_event_open")]


@pytest.mark.usefixtures("perf_link", "three_cpus")
def test_a_perf_event_is_opened_as_asked(kernel: FakeKernel) -> None:
    program = loaded("perf_event", PerfEventProgram)
    program.attach(frequency=99, pid=0, cpu=-1)
    program.attach(type=0, config=1, period=1000, cpu=1)
    first, second = kernel.named("perf_event_open")
    assert first.values("type", "config", "sample_freq") == [1, 0, 99]
    assert (first.attr.bits, first.args[1:3]) == (1 << 10, (0, -1))
    assert second.values("type", "config", "sample_period") == [0, 1, 1000]
    assert (second.attr.bits, second.args[1:3]) == (0, (-1, 1))


@pytest.mark.usefixtures("perf_link", "three_cpus")
@pytest.mark.parametrize(
    ("options", "opened_at", "several"),
    [
        ({}, [(-1, 0), (-1, 1), (-1, 3)], True),
        ({"pid": -1}, [(-1, 0), (-1, 1), (-1, 3)], True),
        ({"pid": None, "cpu": None}, [(-1, 0), (-1, 1), (-1, 3)], True),
        ({"cpu": 3}, [(-1, 3)], False),
        ({"cpu": [3, 0]}, [(-1, 3), (-1, 0)], True),
        ({"cpu": iter([3])}, [(-1, 3)], True),
        ({"pid": 0}, [(0, -1)], False),
        ({"pid": 42}, [(42, -1)], False),
        ({"pid": 42, "cpu": -1}, [(42, -1)], False),
        ({"pid": 42, "cpu": 1}, [(42, 1)], False),
        ({"pid": 42, "cpu": {0, 1}}, [(42, 0), (42, 1)], True),
    ],
)
def test_which_cpus_a_perf_event_is_on(
    kernel: FakeKernel,
    options: dict[str, Any],
    opened_at: list[tuple[int, int]],
    several: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    program = loaded("perf_event", PerfEventProgram)
    link = program.attach(frequency=99, **options)
    assert places(kernel) == opened_at
    assert isinstance(link, PerCpuLink) == several
    link.destroy()
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("perf_link", "three_cpus")
def test_the_links_of_several_cpus_are_one(kernel: FakeKernel) -> None:
    program = loaded("perf_event", PerfEventProgram)
    with program.attach(frequency=99) as link:
        assert isinstance(link, PerCpuLink)
        assert (link.cpus, link.program) == ((0, 1, 3), program)
        assert repr(link) == "<PerCpuLink of program 'prog' on CPUs 0-1,3: attached>"
        assert kernel.open == {program.fd(), *(each.fd() for each in link.links)}
        for call in (
            link.fd,
            link.fileno,
            link.info,
            lambda: link.pin("/x"),
            link.unpin,
            lambda: link.update(program),
        ):
            with pytest.raises(
                StateError, match=r"it is 3 links, one a CPU; .*\.links"
            ):
                call()
        link.links[1].destroy()
        assert not link.destroyed
    assert link.destroyed
    link.detach()
    assert repr(link) == "<PerCpuLink of program 'prog' on CPUs 0-1,3: destroyed>"
    assert kernel.open == {program.fd()}


@pytest.mark.usefixtures("perf_link", "three_cpus")
@pytest.mark.parametrize("call", ["perf_event_open", "LINK_CREATE", "ioctl"])
def test_all_cpus_or_none(kernel: FakeKernel, call: str) -> None:
    program = loaded("perf_event", PerfEventProgram)
    kernel.then(call, None, None, -errno.EBUSY)
    with pytest.raises(BpfOSError, match=r"on a perf event of CPU 3: .*EBUSY"):
        program.attach(frequency=99)
    assert kernel.open == {program.fd()}


@pytest.mark.usefixtures("perf_link", "three_cpus")
@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"cpu": 77}, AttachError, "no CPU 77 is online; there are 0-1,3"),
        ({"cpu": [0, 2, 9]}, AttachError, "no CPU 2, 9 is online; there are 0-1,3"),
        ({"cpu": -2}, AttachError, "no CPU -2 is online"),
        ({"cpu": [0, -1]}, AttachError, "no CPU -1 is online"),
        ({"cpu": []}, ValueError, "cpu is an empty list"),
        ({"cpu": [1, 1]}, ValueError, "cpu has a CPU more than once"),
        ({"cpu": -1}, ValueError, "cpu=-1 is whatever CPU a process runs on"),
        ({"cpu": 1.5}, TypeError, "cpu must be int or Iterable or None, got float"),
        ({"cpu": "0"}, TypeError, "cpu must be int or Iterable or None, got str"),
        ({"cpu": [None]}, TypeError, "cpu: a whole number is wanted, not NoneType"),
        ({"pid": -2}, ValueError, "-2 is no process id"),
        ({"pid": "x"}, TypeError, "pid must be int or None, got str"),
        ({"frequency": 0}, ValueError, "give a period or a frequency"),
        ({"period": 5}, ValueError, "give a period or a frequency, not both"),
        ({"frequency": -1}, ValueError, r"are from 1 to 2\*\*63 - 1, not -1"),
        ({"frequency": 1 << 63}, ValueError, "are from 1 to"),
        ({"type": -1}, ValueError, "no perf event of type -1, config 0 can be"),
        ({"config": 1 << 64}, OverflowError, "config must be int"),
        ({"type": None}, TypeError, "type must be int, got NoneType"),
        ({"perf_fd": 9}, ValueError, "perf_fd is an event as it was opened"),
        ({"perf_fd": 9, "frequency": 0, "cpu": 0}, ValueError, "perf_fd is an event"),
        ({"perf_fd": "9", "frequency": 0}, TypeError, "perf_fd must be int"),
    ],
)
def test_what_is_no_perf_event(
    kernel: FakeKernel, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    program = loaded("perf_event", PerfEventProgram)
    with pytest.raises(error, match=text) as caught:
        program.attach(**{"frequency": 99, **options})
    assert str(caught.value).startswith("program 'prog': ")
    assert kernel.open == {program.fd()}
    assert not kernel.named("perf_event_open")


@pytest.mark.usefixtures("perf_link", "three_cpus")
def test_what_the_kernel_has_not_is_told(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = loaded("perf_event", PerfEventProgram)
    kernel.then("perf_event_open", -errno.ESRCH, -errno.ENOENT, -errno.EINVAL)
    with pytest.raises(AttachError, match="program 'prog': there is no process 77"):
        program.attach(frequency=9, pid=77)
    text = (
        r"of CPU 1: .* this machine has no perf event of type 0 \(hardware\), config 1"
    )
    with pytest.raises(NotSupportedError, match=text):
        program.attach(period=9, type=0, config=1, cpu=1)
    limit = tmp_path / "rate"
    limit.write_text("5000\n", "ascii")
    monkeypatch.setattr(perf_event, "_MAX_RATE", str(limit))
    with pytest.raises(AttachError, match=r"frequency 9999 is more than .*, 5000"):
        program.attach(frequency=9999)
    kernel.then("perf_event_open", -errno.EINVAL)
    with pytest.raises(BpfOSError, match="EINVAL"):
        program.attach(frequency=4999)


def test_cpus_are_read_and_written_as_the_kernel_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for text, numbers in (
        ("0", [0]),
        ("0-1,3", [0, 1, 3]),
        ("0,2,4-6", [0, 2, 4, 5, 6]),
    ):
        assert cpus.parse(f"{text}\n") == numbers
        assert cpus.text(numbers) == text
    assert cpus.online()
    monkeypatch.setattr(cpus, "ONLINE", "/nonexistent")
    assert cpus.online() == sorted(os.sched_getaffinity(0))


@pytest.mark.usefixtures("perf_link")
def test_a_given_perf_event_stays_the_callers(kernel: FakeKernel) -> None:
    given = syscalls.perf_event_open(type=1, config=0)
    program = loaded("perf_event", PerfEventProgram)
    program.attach(given).destroy()
    program.close()
    assert kernel.open == {given}
    syscalls.close(given)


# -- processes -----------------------------------------------------------------


def child(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)


@pytest.mark.usefixtures("no_pmu")
@pytest.mark.parametrize("with_link", [True, False])
def test_a_forked_child_undoes_nothing_of_its_parent(
    kernel: FakeKernel,
    events: list[str],
    monkeypatch: pytest.MonkeyPatch,
    with_link: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    features.PERF_LINK.assume(with_link)
    program = loaded("kprobe/do_unlinkat", KprobeProgram)
    link = program.attach()
    before = len(kernel.named("ioctl"))
    child(monkeypatch)
    link.destroy()
    assert len(events) == 1
    assert len(kernel.named("ioctl")) == before
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("no_pmu", "perf_link")
def test_a_dropped_link_is_undone(kernel: FakeKernel, events: list[str]) -> None:
    import gc

    program = loaded("kprobe/do_unlinkat", KprobeProgram)
    link: Link | None = program.attach()
    assert len(events) == 1
    link = None
    gc.collect()
    assert link is None
    assert events[1].startswith("-:")
    assert kernel.open == {program.fd()}


def test_families_that_nothing_attaches(kernel: FakeKernel) -> None:
    with pytest.raises(AttachError, match="ip route add"):
        loaded("lwt_in", Program).attach()
    assert kernel.names() == ["PROG_LOAD"]
