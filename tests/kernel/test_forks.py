"""Forked children and signal handlers: what they get hold of works, or says that not."""

import gc
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, ClosedError, StateError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.version import kernel_version
from skelgen.runtime.syscalls import sizes
from tests.harness import leaks, sources
from tests.harness.generating import loaded
from tests.harness.sources import ROOT

SECONDS = 6
SLOWER = 10 if os.environ.get("SKELGEN_VM") else 1
LONGER = 3 if os.environ.get("SKELGEN_VM") else 1
"""How much longer a storm goes on there, until enough has happened."""
ARENAS = pytest.mark.skipif(
    kernel_version() < 6 << 16 | 9 << 8, reason="needs arenas, Linux 6.9"
)
ADDRESS = 1 << 44


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return loaded(sources.skeleton("forked"))


@pytest.fixture
def skel(module: ModuleType) -> Iterator[Any]:
    with module.Forked.open_and_load() as made:
        yield made


@pytest.fixture
def arena() -> Iterator[Any]:
    with loaded(sources.skeleton("maps_arena")).MapsArena.open_and_load() as made:
        yield made


def in_child(what: Callable[[], object], seconds: int = 20) -> None:
    """Run something in a forked child, which has to end, and well."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(seconds * SLOWER)
            what()
            status = 0
        except BaseException:  # noqa: BLE001 (told at once; nobody catches it)
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def send(skel: Any, count: int = 1) -> None:
    skel.progs.send_number.test_run(data=bytes(64), repeat=count)


@pytest.mark.any_kernel
def test_a_storm_of_forks_and_signals_hangs_and_crashes_nothing() -> None:
    """Threads live, the main thread forks and is signalled: nothing hangs or crashes."""
    words = [sys.executable, "-m", "tests.kernel.fork_storm", str(SECONDS * LONGER)]
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)  # noqa: T201 (the figures)
    figures = [int(number) for number in re.findall(r"\d+", done.stdout)]
    forks, signals, lives, destroyed, records, _ = figures
    assert forks >= 3
    assert signals > forks
    assert lives > forks
    assert destroyed > 0
    assert records > lives


# -- children ------------------------------------------------------------------


def test_a_child_uses_and_destroys_what_its_parent_keeps(skel: Any) -> None:
    send(skel, 3)

    def use() -> None:
        send(skel)
        assert skel.bss.sent == 4
        assert dict(skel.maps.seen.items()) == {0: 0, 1: 1, 2: 2, 3: 3}
        skel.destroy()
        for call in (lambda: skel.bss.sent, lambda: skel.maps.rb.available):
            with pytest.raises(ClosedError):
                call()

    in_child(use)
    assert skel.bss.sent == 4
    assert [record[0] for record in map(list, skel.maps.rb.consume())] == [0, 1, 2, 3]


def test_a_child_reads_on_in_a_loop_that_its_parent_began(skel: Any) -> None:
    """The parent's epoll would wake one of the two."""
    send(skel)
    stream = skel.maps.rb.poll(20 * SLOWER)
    next(stream)
    waiting = threading.Timer(0.1, send, (skel,))
    waiting.start()
    next(stream)  # it has an epoll by now
    waiting.join()

    def read() -> None:
        writer = threading.Timer(0.1, send, (skel,))
        writer.start()
        assert next(stream)
        writer.join()

    in_child(read)
    send(skel)
    assert next(stream)


def test_no_lock_of_another_thread_is_waited_for(skel: Any, module: ModuleType) -> None:
    """In a child it is held for ever by a thread that is not there."""
    inside, leave = threading.Event(), threading.Event()
    half = module.Forked.open()

    def hold() -> None:
        handle = skel.maps.rb.handle
        with (
            skel.object._life.lock,
            handle.lock,
            skel.maps.rb._open()._lock,
            half.object._life.lock,
            handle.use(),
        ):
            half.object._life._runner, half.object._life._running = (
                threading.get_ident(),
                "load()",
            )
            inside.set()
            leave.wait(20 * SLOWER)
            half.object._life._running = ""

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(20)

    def use() -> None:
        start = time.monotonic()
        assert skel.maps.rb.available == 0
        half.load()
        half.destroy()
        skel.destroy()
        assert time.monotonic() - start < 5 * SLOWER
        with pytest.raises(ClosedError):
            half.load()

    try:
        in_child(use)
    finally:
        leave.set()
        holder.join()
    half.destroy()


def test_a_child_warns_of_nothing(module: ModuleType) -> None:
    """To destroy is the parent's part; what the child makes is its own."""
    kept = [module.Forked.open_and_load()]

    def drop() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kept.clear()
            gc.collect()
            assert not caught
            kept.append(module.Forked.open_and_load())
            kept.clear()
            gc.collect()
            assert [each.category for each in caught] == [ResourceWarning]

    in_child(drop)
    kept[0].destroy()


# -- arenas --------------------------------------------------------------------


@ARENAS
def test_an_arena_is_in_a_child_too(arena: Any) -> None:
    """The kernel does not hand its mapping down."""
    item = arena.arena.item
    arena.arena.counter = 41
    variables = ADDRESS
    if features.LDIMM64_FULL_RANGE.supported():  # they are in the last of four pages
        variables += 3 * 4096

    def use() -> None:
        assert arena.maps.arena.read(variables, 4) == (41).to_bytes(4, sys.byteorder)
        assert "41" in repr(arena.arena)
        arena.arena.counter = 42  # the same memory
        item.value = 7
        arena.maps.arena.write(ADDRESS + 2 * 4096, b"a page more")
        assert arena.progs.touch.test_run().retval == 48
        arena.destroy()
        assert item.value == 48  # a view keeps it

    in_child(use)
    assert arena.arena.counter == 48
    assert item.value == 48
    assert arena.maps.arena.read(ADDRESS + 2 * 4096, 11) == b"a page more"


@ARENAS
def test_a_view_without_its_object_is_good_in_a_child(arena: Any) -> None:
    item = arena.arena.item
    item.value = 5
    arena.destroy()

    def add(item: Any = item) -> None:
        item.value += 1

    in_child(add)
    add.__defaults__ = ()
    assert item.value == 6
    in_child(gc.collect)
    del item
    assert not leaks.bpf_mappings()


@ARENAS
def test_an_arena_that_cannot_be_in_a_child_reads_as_zeros_or_raises(
    arena: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning, an error where one can be, and zeros: no signal, whatever is done."""
    item = arena.arena.item
    item.value = 5
    real = syscalls.mmap

    def refuse(
        address: int, size: int, prot: int, flags: int, *fd: int, what: str
    ) -> int:
        if fd:
            raise BpfOSError(12, "no memory", command="mmap", what=what)
        return real(address, size, prot, flags, what=what)

    monkeypatch.setattr("skelgen.runtime.memory.arena.syscalls.mmap", refuse)

    def use() -> None:
        assert item.value == 0
        item.value = 1
        with pytest.raises(StateError, match="'arena': could not be mapped in this"):
            arena.maps.arena.read(ADDRESS, 4)
        repr(arena.arena)
        arena.destroy()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        in_child(use)
    assert item.value == 5


@ARENAS
def test_destroy_in_a_child_unmaps_nothing_of_its_own(arena: Any) -> None:
    """Nor what it put at the address itself after the arena was gone."""

    def use() -> None:
        arena.destroy()
        gc.collect()
        flags = syscalls.MAP_PRIVATE | syscalls.MAP_ANONYMOUS | syscalls.MAP_FIXED
        where = syscalls.mmap(ADDRESS, 4096, syscalls.PROT_READ, flags)
        arena.destroy()
        gc.collect()
        lines = Path("/proc/self/maps").read_text("ascii").splitlines()
        assert any(line.startswith(f"{where:x}-") for line in lines)

    in_child(use)
    assert arena.arena.counter == 5


# -- signal handlers -----------------------------------------------------------


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Yield what has a function called by a signal handler, again and again."""
    before = signal.getsignal(signal.SIGALRM)
    running = True

    def begin(call: Callable[[], object]) -> None:
        count = 0

        def handle(*_: object) -> None:
            nonlocal count
            count += 1
            call()
            if running:  # once more, when this is done
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + count % 50 * 1e-6)

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0002)

    yield begin
    running = False
    time.sleep(0.01)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_handler_and_its_thread_get_each_record_once(
    skel: Any, alarm: Callable[[Callable[[], object]], None]
) -> None:
    """Each record comes once, and in order to each of the two."""
    rb = skel.maps.rb
    got: list[bytes] = []
    handled: list[bytes] = []

    def handle() -> None:
        assert rb.available >= 0
        for record in rb.consume():
            handled.append(record)
            if len(handled) % 3 == 0:
                break

    alarm(handle)
    start = time.monotonic()
    while (now := time.monotonic()) < start + 2 * LONGER or (
        not handled and now < start + 2 * SLOWER
    ):
        for _ in range(50):
            send(skel)
        got.extend(rb.poll(0.001))
    signal.setitimer(signal.ITIMER_REAL, 0)
    got.extend(rb.consume())
    assert handled
    assert got == sorted(got, key=number)
    assert handled == sorted(handled, key=number)
    both = sorted(map(number, got + handled))
    assert both == list(range(skel.bss.sent))


def number(record: Any) -> int:
    return int.from_bytes(bytes(record)[:8], sys.byteorder)


def test_an_interrupt_loses_no_batch_of_records(
    skel: Any, alarm: Callable[[Callable[[], object]], None]
) -> None:
    """Between taking records and queueing them."""

    class InterruptError(Exception):
        pass

    def interrupt() -> None:
        raise InterruptError

    got: list[int] = []
    ends: list[int] = []  # how many records there were at each interrupt
    start = time.monotonic()
    while (now := time.monotonic()) < start + 1.5 * LONGER or (
        len(ends) <= 10 and now < start + 1.5 * SLOWER
    ):
        send(skel, 20)
        try:
            alarm(interrupt)
            while True:
                got.extend(map(number, skel.maps.rb.consume()))
        except InterruptError:
            ends.append(len(got))
    assert len(ends) > 10
    got += [number(record) for record in skel.maps.rb.consume()]
    assert got == sorted(set(got))
    # who is interrupted may lose the one record that was handed out: no batch is lost
    interrupts = Counter(ends)
    everything = [-1, *got, skel.bss.sent]
    for place, (before, after) in enumerate(itertools.pairwise(everything)):
        assert after - before - 1 <= interrupts[place]


def test_destroy_by_a_signal_handler_comes_after_the_load_it_interrupts(
    module: ModuleType,
) -> None:
    """It comes when the load is over, which says so."""
    before = signal.getsignal(signal.SIGALRM)
    late = 0
    for number_ in range(60):
        skel = module.Forked.open()
        signal.signal(signal.SIGALRM, lambda *_, skel=skel: skel.destroy())
        signal.setitimer(signal.ITIMER_REAL, 1e-5 + number_ * 5e-5)
        try:
            skel.load()
        except ClosedError:
            late += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        skel.destroy()
        with pytest.raises(ClosedError):
            skel.load()
    assert late > 0


def test_load_by_a_signal_handler_in_the_middle_of_a_load_is_refused(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    skel = module.Forked.open()
    told: list[str] = []
    real = syscalls.prog_load

    def load_again(**arguments: Any) -> int:
        with pytest.raises(StateError) as caught:
            skel.load()
        told.append(str(caught.value))
        return real(**arguments)

    monkeypatch.setattr(syscalls, "prog_load", load_again)
    skel.load()
    assert "load() by a signal handler that interrupted load()" in told[0]
    skel.destroy()


class Interrupt(BaseException):
    """As ``KeyboardInterrupt``, which pytest takes for its own."""


def test_an_interrupt_while_the_kernel_makes_something_leaks_no_fd() -> None:
    """Its handler raises right after the call, before anybody has the fd."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    cpus, interrupted = sizes.possible_cpus(), 0
    before = signal.signal(signal.SIGALRM, interrupt)
    fds = leaks.open_fds()
    try:
        for _ in range(50):
            fd = 0
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.002)
                fd = syscalls.map_create(  # takes long: it gives elements their memory
                    type=MapType.PERCPU_HASH,
                    key_size=4,
                    value_size=8,
                    max_entries=100_000 // cpus,
                )
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupt as error:
                frames = traceback.extract_tb(error.__traceback__)
                # the second is the check for leaks, around the call
                interrupted += frames[-2].name in {"raw", "making"}
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if fd:
                os.close(fd)
            if interrupted == 3:
                break
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted == 3
    assert leaks.open_fds() == fds
