"""Programs of perf events: which events are opened, on which CPUs and of whom."""

import errno
from pathlib import Path
from typing import Any

import pytest

from skelgen.runtime import PerfEventProgram, syscalls
from skelgen.runtime.errors import (
    AttachError,
    BpfOSError,
    NotSupportedError,
    StateError,
)
from skelgen.runtime.kernel import cpus
from skelgen.runtime.links.per_cpu import PerCpuLink
from skelgen.runtime.programs import perf_event
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded


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
def test_a_perf_event_is_on_the_cpus_that_are_asked_for(
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
def test_it_is_attached_on_all_cpus_or_on_none(kernel: FakeKernel, call: str) -> None:
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
def test_what_is_no_perf_event_is_refused(
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


@pytest.mark.usefixtures("perf_link")
def test_a_given_perf_event_stays_the_callers(kernel: FakeKernel) -> None:
    given = syscalls.perf_event_open(type=1, config=0)
    program = loaded("perf_event", PerfEventProgram)
    program.attach(given).destroy()
    program.close()
    assert kernel.open == {given}
    syscalls.close(given)
