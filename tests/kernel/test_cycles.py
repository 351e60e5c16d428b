"""Many lives of one skeleton: nothing grows. Threads, forks, exec, and no destroy()."""

import contextlib
import gc
import itertools
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, ClosedError, StateError, VerifierError
from tests.harness import leaks, privilege
from tests.harness.faults import faults
from tests.harness.places import Cgroup, NetworkNamespace

pytestmark = [pytest.mark.any_kernel, privilege.needs_struct_ops_links]


WARM_UP = 8
"""Lives before anything is measured: what is imported, cached, allocated once."""
TRACED = 12
"""Lives of which every allocation of Python is traced, which takes its time."""
RSS_MARGIN = 512 << 10
"""Bytes: a page a life, of 200, would be 800 kB. The allocators keep what they like."""
TRACED_MARGIN = 28 * TRACED
"""Bytes: less than the smallest object, an int, a life."""

Live = Callable[[], None]


@pytest.fixture
def life(make_skeleton: Callable[[str], ModuleType]) -> type[Any]:
    """Return the skeleton class of ``life``."""
    found: type[Any] = make_skeleton("life").Life
    return found


def attach_all(skel: Any, cgroup: Cgroup, netns: NetworkNamespace) -> None:
    """Attach every program and the struct_ops variable."""
    skel.attach()
    skel.links.on_egress = skel.progs.on_egress.attach(cgroup.path)
    skel.links.on_lookup = skel.progs.on_lookup.attach(netns.fd)


def open_life(life: type[Any]) -> Any:
    skel = life.open()
    skel.rodata.only_pid = os.getpid()
    return skel


def live(life: type[Any], cgroup: Cgroup, netns: NetworkNamespace) -> None:
    """Live once, with a look at everything."""
    with open_life(life) as skel:
        skel.data.level = -3
        skel.load()
        attach_all(skel, cgroup, netns)
        call(skel)
        assert skel.data.level == -3
        skel.maps.states[5] = skel.bss.state
        records = list(skel.maps.rb.consume())
        assert records[0].pid == os.getpid()
        skel.detach()
        os.getppid()
        assert skel.bss.calls == len(records)


def call(skel: Any) -> None:
    """Make a call that the program counts.

    Not each one is: while a preempted task of the same CPU is in bpf(2) it is not run.
    """
    before = skel.bss.calls
    for _ in range(1000):
        os.getppid()
        if skel.bss.calls > before:
            return
    raise AssertionError("none of 1000 calls was counted")


def rss() -> int:
    """Return the private memory of this process in bytes."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        # pages of files come and go with what else the machine does
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no RssAnon")


def check_growth(live_once: Live, lives: int) -> None:
    """Fail where fds, mappings, kernel objects or memory grow with lives."""
    repeat(live_once, WARM_UP)
    left = leaks.LeakCheck()
    before = rss()
    repeat(live_once, lives - WARM_UP - 4 * TRACED)
    grown = rss() - before
    assert grown < RSS_MARGIN, f"{grown} bytes"
    tracemalloc.start()
    try:
        # once a table may grow; what every life leaves behind is there each time
        grown = [traced_growth(live_once) for _ in range(4)]
    finally:
        tracemalloc.stop()
    assert min(grown) < TRACED_MARGIN, f"{grown} bytes"
    assert not left.check()


def traced_growth(live_once: Live) -> int:
    """Return by how many bytes the objects of Python grow in some lives."""
    before = tracemalloc.get_traced_memory()[0]
    repeat(live_once, TRACED)
    return tracemalloc.get_traced_memory()[0] - before


def repeat(live_once: Live, times: int) -> None:
    for done in range(1, times + 1):
        live_once()
        if done % 8 == 0:  # cycles that wait for a collection are no leak
            gc.collect()
    gc.collect()


def test_whole_lives_leave_nothing_that_grows(
    life: type[Any], cgroup: Cgroup, netns: NetworkNamespace
) -> None:
    check_growth(lambda: live(life, cgroup, netns), 200)


def live_in_two_steps(life: type[Any], cgroup: Cgroup) -> None:
    """Live once with what is between prepare() and load(), and clones."""
    with open_life(life) as skel:
        skel.prepare()
        skel.maps.states[5] = skel.bss.state
        closed, kept = (skel.progs.on_egress.clone() for _ in range(2))
        with closed, closed.attach(cgroup.path):
            assert closed.test_run(bytes(64)).retval == 1
        skel.load()
        skel.attach()
        call(skel)
        assert 5 in skel.maps.states
        assert kept.loaded


def test_whole_lives_in_two_steps_leave_nothing_that_grows(
    life: type[Any], cgroup: Cgroup
) -> None:
    check_growth(lambda: live_in_two_steps(life, cgroup), 150)


def prepared_only(life: type[Any]) -> None:
    with open_life(life) as skel:
        skel.prepare()
        skel.maps.states[1] = skel.bss.state


def rejected_twice(life: type[Any]) -> None:
    """By the verifier, with the maps staying in between."""
    with open_life(life) as skel:
        skel.rodata.reject = 1
        skel.prepare()
        skel.maps.states[1] = skel.bss.state
        for _ in range(2):
            with pytest.raises(VerifierError):
                skel.load()
        with pytest.raises(VerifierError):
            skel.progs.on_return.clone()
        assert 1 in skel.maps.states


def rejected(life: type[Any]) -> None:
    with open_life(life) as skel:
        skel.rodata.reject = 1  # value[1] of a map with one
        with pytest.raises(VerifierError):
            skel.load()


def attached_in_part(life: type[Any]) -> None:
    with open_life(life) as skel:
        skel.load()
        with (
            faults(1, names=("LINK_CREATE",)) as fault,
            pytest.raises(BpfOSError),
        ):
            skel.attach()
        assert fault.calls == ["LINK_CREATE"] * 2
        assert skel.links.on_getppid is None
        os.getppid()
        assert skel.bss.calls == 0


def taken_already(life: type[Any]) -> None:
    """The name of the struct_ops variable is there: the last link cannot be."""
    with open_life(life) as first, open_life(life) as skel:
        first.load()
        first.attach()
        skel.load()
        with pytest.raises(FileExistsError):
            skel.attach()
        assert not skel.object.links


def misused(life: type[Any]) -> None:
    with open_life(life) as skel:
        with pytest.raises(StateError):
            skel.attach()
        skel.load()
        with pytest.raises(StateError):
            skel.load()
        with pytest.raises(StateError):
            skel.rodata.only_pid = 1
    with pytest.raises(ClosedError):
        skel.attach()


def test_lives_that_fail_half_way_leave_nothing_that_grows(life: type[Any]) -> None:
    ways = itertools.cycle([rejected, attached_in_part, taken_already, misused])
    check_growth(lambda: next(ways)(life), 100)


def test_lives_that_end_after_prepare_leave_nothing_that_grows(life: type[Any]) -> None:
    ways = itertools.cycle([prepared_only, rejected_twice])
    check_growth(lambda: next(ways)(life), 100)


# -- threads -------------------------------------------------------------------


@contextlib.contextmanager
def threads(*functions: Callable[[], object]) -> Iterator[list[BaseException]]:
    """Run functions again and again, until they raise ClosedError or the block ends."""
    errors: list[BaseException] = []
    stop = threading.Event()

    def run(function: Callable[[], object]) -> None:
        try:
            while not stop.is_set():
                function()
        except ClosedError:
            return
        except BaseException as error:  # noqa: BLE001 (shown by the caller)
            errors.append(error)

    running = [threading.Thread(target=run, args=(f,)) for f in functions]
    for thread in running:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in running:
            thread.join()


def test_destroy_among_busy_threads_raises_nothing_but_closed_error(
    life: type[Any],
) -> None:
    """One reads, one writes and attaches, and destroy() comes in between."""
    for _ in range(10):
        skel = open_life(life)
        skel.load()

        def read(skel: Any = skel) -> None:
            list(skel.maps.rb.consume())
            assert skel.bss.calls >= 0
            assert skel.maps.states.get(1) is None or skel.maps.states[1].calls == 1
            dict(skel.maps.states.items())

        def write(skel: Any = skel) -> None:
            skel.bss.numbers[3] = 1
            skel.bss.state.calls = 1
            skel.maps.states[1] = skel.bss.state
            os.getppid()

        def attach(skel: Any = skel) -> None:
            with contextlib.suppress(BpfOSError):  # of another thread's moment
                skel.attach()
            skel.detach()

        with threads(read, write, attach) as errors:
            time.sleep(0.1)
            skel.destroy()
            time.sleep(0.02)
        assert not errors, errors


def test_a_load_in_two_threads_at_once_succeeds_in_one(life: type[Any]) -> None:
    with open_life(life) as skel:
        results: list[str] = []

        def load() -> None:
            try:
                skel.load()
                results.append("loaded")
            except StateError:
                results.append("too late")

        both = [threading.Thread(target=load) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert sorted(results) == ["loaded", "too late"]


# -- processes -----------------------------------------------------------------


@pytest.fixture
def running(life: type[Any], cgroup: Cgroup, netns: NetworkNamespace) -> Iterator[Any]:
    """Yield a skeleton that is attached, and see at the end that it still is."""
    with open_life(life) as skel:
        skel.load()
        attach_all(skel, cgroup, netns)
        # and one without a link, which nothing but a call takes off
        skel.links.on_egress.destroy()
        program = skel.progs.on_egress
        skel.links.on_egress = program.attach(cgroup.path, link=False)
        yield skel
        call(skel)
        directory = os.open(cgroup.path, os.O_RDONLY)
        try:
            hook = AttachType.CGROUP_INET_EGRESS
            attached = syscalls.prog_query(directory, hook).prog_ids
        finally:
            os.close(directory)
        assert attached == (program.info().id,)
        assert skel.links.on_lookup.info().id
        assert skel.links.life if hasattr(skel.links, "life") else skel.object.links


def in_child(what: Callable[[], object]) -> None:
    """Run something in a forked child, which ends without Python's clean-up."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            what()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_a_child_that_ends_leaves_its_parents_skeleton_attached(running: Any) -> None:
    in_child(lambda: None)
    in_child(running.destroy)
    in_child(running.detach)
    in_child(gc.collect)


def test_a_child_of_multiprocessing_leaves_its_parents_attached(running: Any) -> None:
    context = multiprocessing.get_context("fork")
    for target, arguments in ((running.destroy, ()), (drop, ([running],))):
        process = context.Process(target=target, args=arguments)
        process.start()
        process.join()
        assert process.exitcode == 0


def test_a_child_reads_what_the_parent_has(running: Any) -> None:
    os.getppid()
    calls = running.bss.calls

    def look() -> None:
        assert running.bss.calls == calls  # the same memory
        assert running.maps.states.get(1) is None
        running.maps.states[1] = running.bss.state

    in_child(look)
    assert 1 in running.maps.states


def drop(kept: list[Any]) -> None:
    kept.clear()
    gc.collect()


def fds() -> set[int]:
    return {int(name.name) for name in Path("/proc/self/fd").iterdir()}


def flags(fd: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text("ascii").splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    raise AssertionError(fd)


def test_no_fd_goes_into_another_program(
    life: type[Any], cgroup: Cgroup, netns: NetworkNamespace
) -> None:
    before = fds()
    with open_life(life) as skel:
        skel.load()
        attach_all(skel, cgroup, netns)
        list(skel.maps.rb.consume())
        ours = {fd for fd in fds() - before if Path(f"/proc/self/fd/{fd}").exists()}
        assert len(ours) > 12
        assert all(flags(fd) & os.O_CLOEXEC for fd in ours)
        assert all(fd > 2 for fd in ours)
        done = subprocess.run(
            ["/bin/ls", "-l", "/proc/self/fd"],
            check=True,
            close_fds=False,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "bpf" not in done.stdout


# -- without destroy() ---------------------------------------------------------


def test_a_skeleton_that_is_dropped_gives_all_back_with_a_warning(
    life: type[Any],
) -> None:
    """Everything is given back when it is collected, with a warning."""
    left = leaks.LeakCheck()
    skel = open_life(life)
    skel.load()
    skel.attach()
    view = skel.bss.state
    kept = [skel]
    del skel
    with pytest.warns(ResourceWarning, match="object 'life': never destroyed"):
        drop(kept)
    view.calls = 1  # memory of our own, by now
    del view
    assert not left.check()


def test_nothing_is_said_of_what_was_never_loaded_or_destroyed(life: type[Any]) -> None:
    skel = life.open()
    del skel
    gc.collect()  # a warning would be an error
    skel = open_life(life)
    skel.load()
    skel.destroy()
    del skel
    gc.collect()


def test_a_script_that_ends_without_destroy_ends_well_with_a_warning(
    life: type[Any],
) -> None:
    """At exit of the interpreter, too; with -W default it is told."""
    path = sys.modules[life.__module__].__file__
    script = (
        "import importlib.util as u, sys\n"
        "spec = u.spec_from_file_location('life_skel', sys.argv[1])\n"
        "module = u.module_from_spec(spec)\n"
        "sys.modules['life_skel'] = module\n"
        "spec.loader.exec_module(module)\n"
        "skel = module.Life.open_and_load()\n"
        "skel.attach()\n"
        "print(skel.bss.calls)\n"
    )
    for option, said in (("ignore", False), ("default", True)):
        done = subprocess.run(
            [sys.executable, "-W", option, "-c", script, str(path)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout == "0\n"
        assert ("ResourceWarning: object 'life'" in done.stderr) is said, done.stderr
        assert "Traceback" not in done.stderr
