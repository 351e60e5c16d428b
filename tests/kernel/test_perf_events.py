"""Clocks sample this process, one CPU or all of them."""

import os
import time

import pytest

from skelgen.model.enums import LinkType
from skelgen.runtime import PerfEventProgram
from skelgen.runtime.errors import AttachError
from skelgen.runtime.kernel import cpus, features
from skelgen.runtime.links.per_cpu import PerCpuLink
from tests.harness.programs import Counter, LoadProgram


def test_a_clock_samples_this_process(counter: Counter, load: LoadProgram) -> None:
    program = load("perf_event", PerfEventProgram, insns=counter.insns(here=True))
    with program.attach(frequency=1000, pid=0, cpu=-1):
        deadline = time.monotonic() + 10
        while counter.value < 3 and time.monotonic() < deadline:
            pass
    assert counter.value >= 3
    stopped = counter.value
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        pass
    assert counter.value == stopped


def burn(cpu: int) -> None:
    """Use 0.3 s of a CPU, in this thread."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            pass
    finally:
        os.sched_setaffinity(0, before)


def test_a_process_is_sampled_on_whatever_cpu_it_runs(
    counter: Counter, load: LoadProgram
) -> None:
    program = load("perf_event", PerfEventProgram, insns=counter.insns(here=True))
    for cpu in sorted(os.sched_getaffinity(0))[:4]:
        before = counter.value
        with program.attach(frequency=499, pid=0):
            burn(cpu)
        assert counter.value - before > 20, f"on CPU {cpu}"


def test_everything_is_sampled_on_every_cpu(
    counter: Counter, load: LoadProgram
) -> None:
    program = load("perf_event", PerfEventProgram, insns=counter.insns(here=True))
    for cpu in sorted(os.sched_getaffinity(0))[:4]:
        before = counter.value
        with program.attach(frequency=499) as link:
            assert isinstance(link, PerCpuLink)
            assert list(link.cpus) == cpus.online()
            if features.PERF_LINK.supported():
                kinds = {each.info().type for each in link.links}
                assert kinds == {LinkType.PERF_EVENT}
            burn(cpu)
        assert counter.value - before > 20, f"on CPU {cpu}"
    stopped = counter.value
    burn(min(os.sched_getaffinity(0)))
    assert counter.value == stopped


def test_one_cpu_is_sampled_alone(counter: Counter, load: LoadProgram) -> None:
    first, *others = sorted(os.sched_getaffinity(0))
    program = load("perf_event", PerfEventProgram, insns=counter.insns(here=True))
    with program.attach(frequency=499, cpu=first):
        for other in others[:1]:
            burn(other)
        assert counter.value < 20
        burn(first)
        assert counter.value > 20


def test_a_cpu_or_process_that_is_not_there_is_an_attach_error(
    load: LoadProgram,
) -> None:
    program = load("perf_event", PerfEventProgram)
    with pytest.raises(
        AttachError, match=r"no CPU 7777 is online; there are [0-9,-]+$"
    ):
        program.attach(frequency=99, cpu=7777)
    with pytest.raises(AttachError, match="there is no process 4194305"):
        program.attach(frequency=99, pid=4194305)
