"""Ring buffers on the running kernel."""

# ruff: noqa: RUF012 (as generated)

import asyncio
import ctypes
import errno
import itertools
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from skelgen.runtime.errors import BpfError, BpfOSError, ClosedError, StateError
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.ringbuf import RingBuf, poll
from skelgen.runtime.values import codec as c
from skelgen.runtime.values.member import FlexibleBytes
from skelgen.runtime.values.struct import Struct, struct
from tests.harness.ringbuf import NO_WAKEUP, Ring

pytestmark = pytest.mark.any_kernel


class Event(Struct):
    seq: int
    rest: int

    _fields_ = [("seq", ctypes.c_uint64), ("rest", ctypes.c_uint64)]


class Growing(Struct):
    seq: int

    _fields_ = [("seq", ctypes.c_uint64)]

    rest = FlexibleBytes(offset=8)


@pytest.fixture
def ring() -> Iterator[Ring]:
    with Ring() as made:
        yield made


def events(ring: Ring) -> RingBuf[Event]:
    return RingBuf(ring.handle, record=struct(Event))


def numbers(ring: Ring) -> RingBuf[int]:
    return RingBuf(ring.handle, record=c.U64)


def test_records_come_once_and_in_order(ring: Ring) -> None:
    rb = events(ring)
    assert list(rb.consume()) == []
    ring.write(3, 16)
    assert rb.available == 3 * 24
    assert list(rb.consume()) == [Event(seq=0), Event(seq=1), Event(seq=2)]
    assert rb.available == 0
    assert list(rb.consume()) == []
    assert rb.size == 4096
    assert rb.fileno() == ring.handle.fd()


def test_it_goes_round_many_times(ring: Ring) -> None:
    rb = numbers(ring)
    expected = itertools.count()
    for size in (8, 16, 24, 100, 9, 504, 8):
        for _ in range(60):
            ring.write(3, size)
            assert list(rb.consume()) == list(itertools.islice(expected, 3))
    assert rb.available == 0


def test_a_record_can_wrap_around(ring: Ring) -> None:
    raw: RingBuf[bytes] = RingBuf(ring.handle, record=None)
    for number in range(50):
        ring.write(1, 500)  # 4096 is no multiple of 508, rounded up to 512: shift it
        ring.write(1, 13)
        first, second = raw.consume()
        assert first == c.U64.pack(2 * number).ljust(500, b"\0")
        assert second == c.U64.pack(2 * number + 1).ljust(13, b"\0")


def test_a_full_ring_drops_what_comes_then(ring: Ring) -> None:
    rb = numbers(ring)
    ring.write(1000, 8)
    got = list(rb.consume())
    assert got == list(range(255))
    ring.write(1)
    assert list(rb.consume()) == [1000]


def test_an_abandoned_loop_loses_nothing(ring: Ring) -> None:
    rb = events(ring)
    ring.write(150, 16)
    for event in rb.consume():
        if event.seq == 10:
            break
    assert next(rb.consume()).seq == 11
    assert next(rb.poll(5)).seq == 12
    ring.write(2, 16)

    def fail_at_20(event: Event) -> None:
        if event.seq == 20:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rb.dispatch(fail_at_20)
    assert [event.seq for event in rb.consume()] == list(range(21, 152))


def test_different_sizes_mix(ring: Ring) -> None:
    raw: RingBuf[bytes] = RingBuf(ring.handle, record=None)
    sizes = [8, 8, 8, 8, 12, 8, 100, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 9, 16, 16, 16, 16]
    for size in sizes:
        ring.write(1, size)
    got = list(raw.consume())
    assert [len(record) for record in got] == sizes
    assert [c.U64.unpack(record) for record in got] == list(range(len(sizes)))


def test_a_short_record_is_an_error_in_its_turn(ring: Ring) -> None:
    rb = events(ring)
    for size in (16, 8, 24, 16, 4):
        ring.write(1, size)
    got: list[int] = []
    texts: list[str] = []
    for _ in range(3):
        try:
            got += [event.seq for event in rb.consume()]
        except BpfError as error:
            texts.append(str(error))
    records = rb.consume()
    assert list(records) == []
    assert texts == [
        f"map 'rb': record of {size} bytes is too short for Event, which has 16"
        for size in (8, 4)
    ]


def test_a_short_record_does_not_take_its_neighbours_along(ring: Ring) -> None:
    rb = events(ring)
    for size in (16, 8, 24, 16):
        ring.write(1, size)
    stream = rb.consume()
    assert next(stream).seq == 0
    with pytest.raises(BpfError, match="record of 8 bytes is too short for Event"):
        next(stream)
    assert [event.seq for event in rb.consume()] == [2, 3]


def test_what_follows_a_struct_is_its_flexible_array(ring: Ring) -> None:
    rb = RingBuf(ring.handle, record=struct(Growing))
    for size in (8, 11, 16):
        ring.write(1, size)
    assert [(r.seq, r.rest) for r in rb.consume()] == [
        (0, b""),
        (1, bytes(3)),
        (2, bytes(8)),
    ]


def test_discarded_records_are_passed_over(ring: Ring) -> None:
    from skelgen.runtime import syscalls

    rb = numbers(ring)
    with ring.reserving() as program:
        ring.write(1)
        syscalls.prog_test_run(program.fileno(), data=bytes(64), repeat=5)
        ring.write(1)
        assert list(rb.consume()) == [0, 1]
        syscalls.prog_test_run(program.fileno(), data=bytes(64), repeat=5)
        assert list(rb.consume()) == []
        assert rb.available == 0


def test_poll_waits_until_its_time_is_over(ring: Ring) -> None:
    rb = numbers(ring)
    start = time.monotonic()
    assert list(rb.poll(0.15)) == []
    assert 0.15 <= time.monotonic() - start < 2
    assert list(rb.poll(0)) == []
    ring.write(2)
    assert list(rb.poll(0)) == [0, 1]


def test_poll_gets_what_comes_while_it_waits(ring: Ring) -> None:
    rb = numbers(ring)
    writer = threading.Timer(0.1, ring.write, (2,))
    writer.start()
    start = time.monotonic()
    stream = rb.poll(30)
    assert [next(stream), next(stream)] == [0, 1]
    assert time.monotonic() - start < 10
    writer.join()


def test_records_without_a_wakeup_come_too(ring: Ring) -> None:
    rb = numbers(ring)
    writer = threading.Timer(0.05, ring.write, (3, 8, NO_WAKEUP))
    writer.start()
    assert list(itertools.islice(rb.poll(30), 3)) == [0, 1, 2]
    writer.join()


def test_poll_ends_in_time_though_records_keep_coming(ring: Ring) -> None:
    rb = numbers(ring)
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            ring.write(100, 8, NO_WAKEUP)

    writer = threading.Thread(target=flood)
    writer.start()
    try:
        start = time.monotonic()
        count = sum(1 for _ in rb.poll(0.3))
        took = time.monotonic() - start
        at_once = sum(1 for _ in rb.consume())
    finally:
        stop.set()
        writer.join()
    assert count > 0  # many; on a busy machine the writer hardly runs
    assert 0.3 <= took < 5
    assert at_once <= 1000, "consume() takes what was there when it was called"
    list(rb.consume())


def test_callbacks_are_counted(ring: Ring) -> None:
    rb = numbers(ring)
    ring.write(5)
    got: list[int] = []
    assert rb.dispatch(got.append) == 5
    assert rb.dispatch(got.append, 0.05) == 0
    assert got == [0, 1, 2, 3, 4]


def test_threads_share_the_records(ring: Ring) -> None:
    rb = numbers(ring)
    total, stop = 20_000, threading.Event()
    got: list[list[int]] = [[], [], []]

    def read(mine: list[int]) -> None:
        while not stop.is_set():
            mine.extend(rb.poll(0.05))
        mine.extend(rb.consume())

    readers = [threading.Thread(target=read, args=(mine,)) for mine in got]
    for reader in readers:
        reader.start()
    written = 0
    while written < total:
        if rb.available < 2048:
            ring.write(100)
            written += 100
        else:
            time.sleep(0.0005)
    while rb.available:
        time.sleep(0.001)
    stop.set()
    for reader in readers:
        reader.join()
    assert sorted(itertools.chain(*got, rb.consume())) == list(range(total))
    for mine in got:
        assert mine == sorted(mine)


def test_several_ring_buffers_in_one_wait() -> None:
    with Ring() as one, Ring() as two:
        rings = [numbers(one), numbers(two)]
        writer = threading.Timer(0.05, two.write, (2,))
        one.write(1)
        writer.start()
        got = list(itertools.islice(poll(rings, 30), 3))
        writer.join()
        assert got == [(rings[0], 0), (rings[1], 0), (rings[1], 1)]
        start = time.monotonic()
        assert list(poll(rings, 0.1)) == []
        assert time.monotonic() - start >= 0.1
        one.write(5)
        tagged = poll(rings, 1)
        assert next(tagged) == (rings[0], 1)
        assert list(rings[0].consume()) == [2, 3, 4, 5]


def test_what_is_there_now_in_several_ring_buffers() -> None:
    """All of it, in turns of 128 at most, though the time is over at once."""
    with Ring(1 << 16) as one, Ring(1 << 16) as two:
        rings = [numbers(one), numbers(two)]
        one.write(1000)
        two.write(300)
        for number in range(400):  # records of changing sizes are taken one by one
            two.write(1, 8 + number % 3 * 8)
        stream = poll(rings, 0)
        one.write(500)  # is not there yet
        got = list(stream)
        for ring, count in zip(rings, (1000, 700), strict=True):
            assert [number for each, number in got if each is ring] == list(
                range(count)
            )
        runs = [len(list(run)) for _, run in itertools.groupby(got, lambda g: g[0])]
        assert max(runs[:10]) <= 128
        assert len(runs) >= 10
        assert len(list(rings[0].consume())) == 500
        assert list(poll(rings, 0)) == []


def test_a_ring_buffer_that_never_ends_leaves_the_others_their_turn() -> None:
    with Ring(1 << 16) as one, Ring() as two:
        rings = [numbers(one), numbers(two)]
        one.write(3000)
        two.write(1)
        turn = 0
        for ring, _ in poll(rings, 30):
            if ring is rings[1]:
                break
            turn += 1
            one.write(1)
        assert turn <= 128


def test_threads_get_records_in_order_whenever_they_are_switched() -> None:
    """Taking a batch and queueing it are one step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Ring(1 << 16) as ring:
            rb = numbers(ring)
            stop = threading.Event()
            got: list[list[int]] = [[] for _ in range(4)]

            def read(mine: list[int]) -> None:
                while not stop.is_set():
                    mine.extend(rb.consume())
                mine.extend(rb.consume())

            readers = [threading.Thread(target=read, args=(mine,)) for mine in got]
            for reader in readers:
                reader.start()
            for _ in range(200):
                ring.write(20)
                time.sleep(0.001)
            stop.set()
            for reader in readers:
                reader.join()
            for mine in got:
                assert mine == sorted(mine)
            assert sorted(itertools.chain(*got)) == list(range(4000))
    finally:
        sys.setswitchinterval(before)


def test_a_reader_waits_in_the_kernel_alone(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never sleeps, and has one epoll, which one wake-up wakes once."""
    made: list[int] = []
    real = select.epoll

    def epoll() -> select.epoll:
        made.append(1)
        return real()

    monkeypatch.setattr("skelgen.runtime.streams.wait.select.epoll", epoll)
    monkeypatch.delattr("skelgen.runtime.streams.wait.time.sleep")
    rb = numbers(ring)
    stream = rb.poll(30)
    for number in range(20):
        writer = threading.Timer(0.005, ring.write)
        writer.start()
        assert next(stream) == number
        writer.join()
    assert made == [1]
    stream.close()  # type: ignore[attr-defined] # a generator
    assert list(rb.poll(0.02)) == []


def test_a_record_that_is_not_committed_is_waited_for() -> None:
    """Readable, and nothing to read: no spinning, and no sleep beside the wait."""
    with Ring() as ring:
        rb = numbers(ring)
        ring.write(1)
        memory = rb._open()
        # as if the first were reserved alone: a limit that nothing is before
        assert not memory.take(rb._pending, rb._queued, 0)
        calls = 0
        real = memory.take

        class Busy:
            def take(self, *_arguments: object) -> bool:
                nonlocal calls
                calls += 1
                return False

        rb._memory = Busy()  # type: ignore[assignment] # as far as it is used
        assert list(rb.poll(0.2)) == []
        assert calls <= 4
        rb._memory = memory
        assert real(rb._pending, rb._queued)
        assert list(rb.consume()) == [0]


def test_no_fd_for_waiting_is_one_clear_error(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr("skelgen.runtime.streams.wait.select.epoll", full)
    with pytest.raises(BpfOSError, match=r"waiting for ring buffers: epoll: .*EMFILE"):
        list(numbers(ring).poll(1))


def test_selectors_see_it(ring: Ring) -> None:
    rb = numbers(ring)
    waiter = select.poll()
    waiter.register(rb, select.POLLIN)
    assert waiter.poll(0) == []
    ring.write(1)
    assert waiter.poll(1000) == [(rb.fileno(), select.POLLIN)]
    list(rb.consume())
    assert waiter.poll(0) == []


# -- asyncio -------------------------------------------------------------------


async def take(rb: RingBuf[int], count: int) -> list[int]:
    got: list[int] = []
    async for number in rb:
        got.append(number)
        if len(got) == count:
            break
    return got


def test_async_for(ring: Ring) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, ring.write, 2)
        loop.call_later(0.1, ring.write, 1)
        return await asyncio.wait_for(take(numbers(ring), 3), 20)

    assert asyncio.run(main()) == [0, 1, 2]


def test_a_cancelled_task_leaves_its_records_to_others(ring: Ring) -> None:
    rb = numbers(ring)

    async def main() -> list[int]:
        task = asyncio.create_task(take(rb, 100))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ring.write(3)
        return await take(rb, 3)

    assert asyncio.run(main()) == [0, 1, 2]


def test_two_tasks_and_the_loop_itself_get_their_turn(ring: Ring) -> None:
    rb = numbers(ring)

    async def main() -> tuple[list[int], list[int], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1
                ring.write(20)

        ticking = asyncio.create_task(tick())
        one, two = await asyncio.wait_for(
            asyncio.gather(take(rb, 300), take(rb, 300)), 30
        )
        ticking.cancel()
        return one, two, ticks

    one, two, ticks = asyncio.run(main())
    assert ticks >= 25
    assert sorted(one + two)[:600] == list(range(600))
    list(rb.consume())


def test_destroy_ends_a_task_that_waits(ring: Ring) -> None:
    async def main() -> None:
        task = asyncio.create_task(take(numbers(ring), 1))
        await asyncio.sleep(0.05)
        ring.handle.close()
        with pytest.raises(ClosedError, match="map 'rb': the object was destroyed"):
            await asyncio.wait_for(task, 5)

    asyncio.run(main())


# -- states --------------------------------------------------------------------


def calls(rb: RingBuf[int]) -> list[Callable[[], object]]:
    return [
        rb.consume,
        lambda: rb.poll(1),
        lambda: rb.dispatch(print),
        lambda: rb.available,
        lambda: rb.size,
        rb.fileno,
        rb.__aiter__,
        lambda: poll([rb], 1),
    ]


def test_before_load_and_after_destroy(ring: Ring) -> None:
    early = RingBuf(MapHandle(ring.handle.spec), record=c.U64)
    for call in calls(early):
        with pytest.raises(StateError, match="map 'rb': made by load"):
            call()
    rb = numbers(ring)
    ring.write(2)
    stream = rb.consume()
    assert next(stream) == 0
    ring.handle.close()
    for call in calls(rb):
        with pytest.raises(ClosedError, match="map 'rb': the object was destroyed"):
            call()
    with pytest.raises(ClosedError):
        list(stream)


def test_destroy_ends_a_thread_that_waits(ring: Ring) -> None:
    rb = numbers(ring)
    caught: list[Exception] = []

    def wait() -> None:
        try:
            list(rb.poll())
        except ClosedError as error:
            caught.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.05)
    ring.handle.close()
    waiter.join(5)
    assert not waiter.is_alive()
    assert len(caught) == 1


def test_a_crowd_of_readers_while_it_is_destroyed() -> None:
    for _ in range(10):
        with Ring() as ring:
            rb = numbers(ring)

            def read(rb: RingBuf[int] = rb) -> None:
                try:
                    for _ in rb.poll(5):
                        pass
                except ClosedError:
                    pass

            readers = [threading.Thread(target=read) for _ in range(4)]
            for reader in readers:
                reader.start()
            ring.write(200)
            ring.handle.close()
            for reader in readers:
                reader.join(10)
                assert not reader.is_alive()


def test_dropping_it_without_destroy_crashes_nothing() -> None:
    code = (
        "from tests.harness.ringbuf import Ring\n"
        "from skelgen.runtime.maps.ringbuf import RingBuf\n"
        "from skelgen.runtime.values import codec as c\n"
        "ring = Ring(); rb = RingBuf(ring.handle, record=c.U64)\n"
        "ring.write(10); stream = rb.consume(); next(stream)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (done.returncode, done.stderr) == (0, "")
