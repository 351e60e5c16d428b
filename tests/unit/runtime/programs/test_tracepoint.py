"""Tracepoints are attached through perf events, with links and before there were any."""

import errno
import os
from pathlib import Path

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import RawTracepointProgram, TracepointProgram, syscalls
from skelgen.runtime.errors import AttachError, NotSupportedError
from skelgen.runtime.kernel import tracefs
from skelgen.runtime.links.perf_event import PerfEventLink
from tests.harness.fake_kernel import FakeKernel
from tests.harness.perf_events import DISABLE, ENABLE, SET_BPF, ioctls
from tests.harness.programs import loaded

SWITCH = "sched_switch"


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
def test_a_missing_raw_tracepoint_is_said_with_what_is_meant(
    kernel: FakeKernel, event: str, notes: list[str]
) -> None:
    program = loaded("raw_tp", RawTracepointProgram)
    kernel.always("RAW_TRACEPOINT_OPEN", -errno.ENOENT)
    with pytest.raises(AttachError, match=f"no raw tracepoint '{event}' in") as caught:
        program.attach(event)
    assert getattr(caught.value, "__notes__", []) == notes


@pytest.mark.usefixtures("trace", "perf_link")
def test_a_tracepoint_where_a_program_may_not_sleep(kernel: FakeKernel) -> None:
    kernel.always("LINK_CREATE", -errno.EINVAL)
    kernel.always("RAW_TRACEPOINT_OPEN", -errno.EINVAL)
    for suffix, notes in ((".s", [tracefs.FAULTABLE]), ("", [])):
        for program in (
            loaded(f"tp{suffix}/sched/sched_switch", TracepointProgram),
            loaded(f"raw_tp{suffix}/sched_switch", RawTracepointProgram),
        ):
            with pytest.raises(OSError, match="EINVAL") as caught:
                program.attach()
            assert getattr(caught.value, "__notes__", []) == notes
            program.close()
    assert not kernel.open


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
def test_without_any_tracefs_the_error_says_why(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, error: int, text: str
) -> None:
    monkeypatch.setattr(tracefs, "PLACES", ("/nonexistent",))
    kernel.always("fsopen", -error)
    program = loaded("tp/sched/sched_switch", TracepointProgram)
    with pytest.raises(AttachError, match=text):
        program.attach()
    program.close()
    assert not kernel.open
