"""Waiting for records: with poll, of several ring buffers, with selectors and asyncio."""

import asyncio
import errno
import itertools
import select
import threading
import time
from collections.abc import Iterator

import pytest

from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.maps.ringbuf import poll
from tests.harness.ringbuf import NO_WAKEUP, Ring
from tests.harness.ringbuf_records import numbers, take

pytestmark = pytest.mark.any_kernel


@pytest.fixture
def ring() -> Iterator[Ring]:
    with Ring() as made:
        yield made


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


def test_several_ring_buffers_are_waited_for_at_once() -> None:
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


def test_what_is_there_now_comes_from_several_ring_buffers_in_turns() -> None:
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


def test_async_for_gets_records_as_they_come(ring: Ring) -> None:
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
