"""Reading a ring buffer that overwrites, beside a producer that never waits.

A file stands for the map, and Python does what the kernel does in
``__bpf_ringbuf_reserve()`` and ``bpf_ringbuf_commit()``.
"""

import mmap
import os
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.runtime.errors import ClosedError
from skelgen.runtime.streams.overwrite import OverwrittenMemory
from skelgen.runtime.streams.ring import Batch, RingMemory

PAGE = mmap.PAGESIZE
SIZE = PAGE
BUSY, DISCARD = 1 << 31, 1 << 30


def rounded(size: int) -> int:
    return (size + 15) // 8 * 8


class Producer:
    """A ring buffer in a file, and what the kernel does with it.

    A record begins with its number, of 32 bits; its number is in the rest of it, too.
    """

    def __init__(self) -> None:
        self.fd = os.memfd_create("ring")
        os.ftruncate(self.fd, 2 * PAGE + 2 * SIZE)
        self.file = mmap.mmap(self.fd, 2 * PAGE + 2 * SIZE)
        self.produced = self.pending = self.whole = 0
        self.count = 0
        self.sizes: dict[int, int] = {}
        """Of each record, where it was committed."""

    def put(self, position: int, data: bytes) -> None:
        """Write to the data, which is there twice."""
        for at, byte in enumerate(data, position):
            for copy in (0, SIZE):
                self.file[2 * PAGE + copy + at % SIZE] = byte

    def header(self, position: int) -> int:
        word = struct.unpack_from("=I", self.file, 2 * PAGE + position % SIZE)[0]
        return int(word)

    def reserve(self, size: int) -> int | None:
        new = self.produced + rounded(size)
        while self.pending < self.produced and not self.header(self.pending) & BUSY:
            self.pending += rounded(self.header(self.pending) & ~DISCARD)
        if new - self.pending > SIZE - 1:
            return None
        while new - self.whole > SIZE - 1:
            self.whole += rounded(self.header(self.whole) & ~DISCARD)
        struct.pack_into("=QQ", self.file, PAGE + 8, self.pending, self.whole)
        at = self.produced
        self.put(at, struct.pack("=II", size | BUSY, 3))
        self.produced = new
        struct.pack_into("=Q", self.file, PAGE, new)
        return at

    def commit(self, at: int, *, discard: bool = False) -> None:
        size = self.header(at) & ~BUSY
        if not discard:
            self.put(at + 8, struct.pack("=I", self.count) * (size // 4))
            self.sizes[self.count] = size
            self.count += 1
        self.put(at, struct.pack("=I", size | (DISCARD if discard else 0)))

    def write(self, size: int = 8, *, discard: bool = False) -> None:
        at = self.reserve(size)
        if at is not None:
            self.commit(at, discard=discard)

    def close(self) -> None:
        self.file.close()
        os.close(self.fd)


class Reader:
    """Numbers of the records that are taken out of the ring."""

    def __init__(self, fd: int, kind: type[RingMemory] = OverwrittenMemory) -> None:
        self.memory = kind(fd, SIZE, "map 'rb'")

    def take(self, limit: int | None = None) -> list[int]:
        queue: deque[list[int]] = deque()
        while self.memory.take(queue, self._records, limit):
            pass
        return [number for numbers in queue for number in numbers]

    @staticmethod
    def _records(batch: Batch) -> Iterator[list[int]]:
        for run in batch.runs:
            numbers = []
            for at, size in zip(run.offsets, run.sizes, strict=True):
                words = struct.unpack_from(f"={size // 4}I", batch.data, at)
                assert len(set(words)) == 1, "a torn record"
                numbers.append(words[0])
            yield numbers


@pytest.fixture
def producer() -> Iterator[Producer]:
    made = Producer()
    yield made
    made.close()


def opened(producer: Producer) -> Reader:
    return Reader(producer.fd)


def test_what_fits_comes_once(producer: Producer) -> None:
    reader = opened(producer)
    assert reader.take() == []
    for _ in range(10):
        producer.write()
    assert reader.memory.available() == 160
    assert reader.take() == list(range(10))
    assert reader.take() == []
    assert (reader.memory.available(), reader.memory.lost) == (0, 0)


@pytest.mark.parametrize("count", [255, 256, 257, 513, 514, 5000])
def test_the_newest_come_in_order_and_the_loss_counts(
    producer: Producer, count: int
) -> None:
    reader = opened(producer)
    for _ in range(count):
        producer.write()
    there = min(count, SIZE // 16 - 1)
    assert reader.memory.available() == there * 16
    assert reader.take() == list(range(count - there, count))
    assert reader.memory.lost == (count - there) * 16
    producer.write()
    assert reader.take() == [count]
    assert reader.memory.lost == (count - there) * 16


def test_what_came_after_the_limit_is_left(producer: Producer) -> None:
    reader = opened(producer)
    producer.write()
    limit = reader.memory.produced()
    producer.write()
    assert reader.take(limit) == [0]
    assert reader.take(limit) == []
    for _ in range(1000):
        producer.write()
    assert reader.take(limit) == []
    assert reader.take() == list(range(1002 - 255, 1002))


def test_a_reserved_record_is_waited_for_where_it_wakes(producer: Producer) -> None:
    reader = opened(producer)
    for _ in range(300):
        producer.write()
    at = producer.reserve(8)
    assert at is not None
    for _ in range(254):
        producer.write()
    assert producer.whole == at
    assert reader.take() == []
    # the kernel wakes at the commit of the record at the consumer's position
    with mmap.mmap(producer.fd, PAGE) as control:
        assert struct.unpack_from("=Q", control)[0] == at
    assert reader.memory.lost == at
    producer.commit(at)
    assert reader.take() == [554, *range(300, 554)]


def test_discarded_records_are_no_loss(producer: Producer) -> None:
    reader = opened(producer)
    for number in range(100):
        producer.write(discard=bool(number % 3))
    assert reader.take() == list(range(34))
    assert reader.memory.lost == 0


def test_it_is_closed_like_any(producer: Producer) -> None:
    reader = opened(producer)
    reader.memory.close()
    with pytest.raises(ClosedError):
        reader.take()


class Racing:
    """A view of the ring; between any two looks at it the producer may go on."""

    def __init__(self, view: Any, step: Callable[[], None]) -> None:
        self._view, self._step = view, step

    def __getitem__(self, key: int | slice) -> Any:
        self._step()
        if isinstance(key, int):
            return self._view[key]
        middle = (key.start + key.stop) // 2
        # the later half first: nothing says in which order memory is copied
        second = bytes(self._view[middle : key.stop])
        self._step()
        return bytes(self._view[key.start : middle]) + second

    def release(self) -> None:
        self._view.release()


Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["write", "discard"]), st.sampled_from([4, 8, 60])),
        st.tuples(st.just("reserve"), st.sampled_from([8, 100])),
        st.tuples(st.just("commit"), st.integers(0, 3)),
        st.tuples(st.just("burst"), st.integers(1, 400)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    max_size=60,
)


class Beside:
    """A producer that goes a step of a list at each look at its ring."""

    def __init__(self, todo: list[Step]) -> None:
        self.producer = Producer()
        self._left = iter(todo)
        self._reserved: list[int] = []

    def step(self) -> None:
        kind, number = next(self._left, ("look", 0))
        if kind in {"write", "discard"}:
            self.producer.write(number, discard=kind == "discard")
        elif kind == "burst":
            for _ in range(number):
                self.producer.write()
        elif kind == "reserve":
            at = self.producer.reserve(number)
            if at is not None:
                self._reserved.append(at)
        elif kind == "commit" and self._reserved:
            at = self._reserved.pop(number % len(self._reserved))
            self.producer.commit(at)

    def finish(self) -> None:
        """Commit what is reserved, and do nothing more."""
        self._left = iter(())
        for at in self._reserved:
            self.producer.commit(at)


@given(steps)
def test_nothing_comes_twice_torn_or_late_beside_a_producer(todo: list[Step]) -> None:
    beside = Beside(todo)
    producer = beside.producer
    reader = opened(producer)
    memory: Any = reader.memory
    memory._producer = Racing(memory._producer, beside.step)
    memory._data = Racing(memory._data, beside.step)
    try:
        got = [number for _ in range(20) for number in reader.take()]
        beside.finish()
        got += reader.take()
        assert len(got) == len(set(got))
        room = sum(rounded(producer.sizes[number]) for number in got)
        assert memory.lost + room <= producer.produced
        assert memory.available() == 0
        if not any(kind in {"reserve", "discard"} for kind, _ in todo):
            assert got == sorted(got)
            assert memory.lost + room == producer.produced
            assert got[-1:] == [producer.count - 1][: producer.count]
    finally:
        reader.memory.close()
        producer.close()
