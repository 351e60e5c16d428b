"""Kprobes: by the PMU, through tracefs on older kernels, and of functions that are not there."""

import errno
import os
from pathlib import Path

import pytest

from skelgen.runtime import KprobeProgram, KsyscallProgram, syscalls
from skelgen.runtime.errors import AttachError, BpfOSError, NotSupportedError
from skelgen.runtime.kernel import features, symbols, tracefs
from skelgen.runtime.links.base import Link
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded


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
def test_a_kernel_function_that_is_not_there_is_told_as_such(
    kernel: FakeKernel,
) -> None:
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
