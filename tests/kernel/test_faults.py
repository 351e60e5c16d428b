"""Every system call of a load fails: the right error, and what was there is there."""

import errno
import itertools
from pathlib import Path

import pytest

from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.maps.ringbuf import RingBuf
from skelgen.runtime.object.life import State
from tests.harness import leaks
from tests.harness.fault_checks import Opener, Traces, check_error, clear, failures
from tests.harness.faults import faults

pytestmark = pytest.mark.any_kernel
OBJECTS = (
    "bootstrap",
    "externs_kconfig",
    "externs_kfuncs",
    "externs_ksyms",
    "externs_weak",
    "globals_live",
    "maps_arena",
    "maps_attributes",
    "maps_kernel_types",
    "maps_nested",
    "maps_net",
    "maps_optional",
    "maps_pinned",
    "maps_plain",
    "maps_prog_array",
    "maps_special",
    "maps_storage",
    "prog_autoload",
    "prog_cgroup",
    "prog_iter",
    "prog_misc",
    "prog_net",
    "prog_netfilter",
    "prog_raw_tracepoint",
    "prog_tc",
    "prog_tcx",
    "prog_tracepoint",
    "prog_uprobe",
    "prog_xdp",
    "ringbuf",
    "struct_ops",
    "struct_ops_link",
    "struct_ops_shadow",
    "struct_ops_tcp",
    "subprogs",
    "tags",
)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_load_that_fails_leaves_what_was_there(
    fixture: Opener, pins: Path, name: str
) -> None:
    open_fixture = fixture(name)
    with open_fixture() as obj:
        obj.load()
    clear(pins)
    traces = Traces(pins)
    count = 0
    for number in itertools.count():
        fired = False
        for failure, lasting in failures(number):
            with open_fixture() as obj:
                fds = leaks.open_fds()
                try:
                    with faults(number, failure, lasting=lasting) as fault:
                        obj.load()
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                    assert obj.state is State.OPENED
                    assert leaks.open_fds() == fds
                    # there is no way to get private memory back in the place
                    traces.check(mapped=lasting and fault.failed == "mmap")
                    count += 1
                    if not lasting:
                        obj.load()
                fired |= fault.failed is not None
            clear(pins)
            traces.check()
        if not fired:
            break
    assert count
    traces.check_kernel()


IN_TWO_STEPS = (
    "bootstrap",
    "externs_kfuncs",
    "globals_live",
    "maps_arena",
    "maps_nested",
    "maps_pinned",
    "maps_prog_array",
    "prog_cgroup",
    "struct_ops",
    "struct_ops_link",
    "subprogs",
)


@pytest.mark.parametrize("step", ["prepare", "load"])
@pytest.mark.parametrize("name", IN_TWO_STEPS)
def test_a_step_that_fails_leaves_what_was_there_before_it(
    fixture: Opener, pins: Path, name: str, step: str
) -> None:
    """A step that fails leaves what was there before it."""
    open_fixture = fixture(name)
    with open_fixture() as obj:
        obj.load()
        programs = any(program.loaded for program in obj.programs.values())
    clear(pins)
    before = Traces(pins)
    count = 0
    for number in itertools.count():
        fired = False
        for failure, lasting in failures(number):
            with open_fixture() as obj:
                if step == "load":
                    obj.prepare()
                state, traces = obj.state, Traces(pins)
                try:
                    with faults(number, failure, lasting=lasting) as fault:
                        getattr(obj, step)()
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                    assert obj.state is state
                    mapped = lasting and fault.failed == "mmap"
                    traces.check(mapped=mapped)
                    if not mapped:
                        traces.check_kernel()
                    count += 1
                    if not lasting:
                        getattr(obj, step)()
                        if step == "prepare":
                            obj.load()
                fired |= fault.failed is not None
            clear(pins)
            before.check()
        if not fired:
            break
    assert count or (step == "load" and not programs)
    before.check_kernel()


@pytest.mark.parametrize("name", ["externs_kfuncs", "maps_plain", "prog_cgroup"])
def test_a_clone_that_fails_leaves_what_was_there(
    fixture: Opener, pins: Path, name: str
) -> None:
    with fixture(name)() as obj:
        obj.prepare()
        program = next(p for p in obj.programs.values() if p.autoload)
        traces = Traces(pins)
        for number in itertools.count():
            fired = False
            for failure, lasting in failures(number):
                try:
                    with faults(number, failure, lasting=lasting) as fault:
                        program.clone().close()
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                fired |= fault.failed is not None
                traces.check()
            if not fired:
                break
        traces.check_kernel()


@pytest.mark.parametrize(
    "name", ["bootstrap", "maps_nested", "struct_ops", "maps_arena"]
)
def test_a_load_of_what_can_be_reports_the_rest_or_leaves_nothing(
    fixture: Opener, pins: Path, name: str
) -> None:
    """``load(strict=False)`` raises only where nothing could be loaded, or interrupts."""
    open_fixture = fixture(name)
    traces = Traces(pins)
    for number in itertools.count():
        fired = False
        for failure, lasting in failures(number):
            with open_fixture() as obj:
                try:
                    with faults(number, failure, lasting=lasting) as fault:
                        report = obj.load(strict=False)
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                    assert obj.state is State.OPENED
                    traces.check(mapped=lasting and fault.failed == "mmap")
                else:
                    for left_out in report:
                        assert str(left_out)
                        assert left_out.error.__traceback__ is None
                fired |= fault.failed is not None
            clear(pins)
            traces.check()
        if not fired:
            break
    traces.check_kernel()


# -- after load ----------------------------------------------------------------


def test_a_ring_buffer_that_cannot_be_mapped_can_be_tried_again(
    fixture: Opener,
) -> None:
    with fixture("ringbuf")() as obj:
        obj.load()
        ring = obj.maps["rb"]
        assert isinstance(ring, RingBuf)
        for number in (0, 1):
            before = leaks.open_fds(), leaks.bpf_mappings()
            with (
                faults(number, errno.EAGAIN, names=("mmap",)),
                pytest.raises(BpfOSError, match="map 'rb': mmap") as caught,
            ):
                list(ring.consume())
            assert caught.value.errno == errno.EAGAIN
            assert (leaks.open_fds(), leaks.bpf_mappings()) == before
        assert list(ring.consume()) == []


def test_destroy_goes_on_after_an_interrupt(fixture: Opener) -> None:
    obj = fixture("prog_tracepoint")()
    before = leaks.open_fds()
    obj.load()
    obj.attach()
    link = next(iter(obj.links.values()))

    class Stubborn:
        def close(self) -> None:
            raise KeyboardInterrupt

    obj.map(next(iter(obj.maps))).track(Stubborn())
    with pytest.raises(KeyboardInterrupt):
        obj.destroy()
    assert link.destroyed
    assert obj.state is State.DESTROYED
    assert all(not program.loaded for program in obj.programs.values())
    left = leaks.open_fds() - before
    assert sum(left.values()) <= 1  # the map whose closing was interrupted
    obj.destroy()
