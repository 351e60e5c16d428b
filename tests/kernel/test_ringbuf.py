"""Records of ring buffers come once, in order, and whole."""

import itertools
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from skelgen.runtime.errors import BpfError
from skelgen.runtime.maps.ringbuf import RingBuf
from skelgen.runtime.values import codec as c
from skelgen.runtime.values.struct import struct
from tests.harness.ringbuf import Ring
from tests.harness.ringbuf_records import Event, Growing, events, numbers

pytestmark = pytest.mark.any_kernel


@pytest.fixture
def ring() -> Iterator[Ring]:
    with Ring() as made:
        yield made


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
