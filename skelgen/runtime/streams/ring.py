"""The memory of a ring buffer: finding what is committed, copying it out.

Layout (``kernel/bpf/ringbuf.c``): a page with the consumer's position, a page with
the producer's, then the data twice in a row, so that a record that wraps around is
contiguous. A record is a header of two 32-bit words (length with two flags in its top
bits; page offset) and its data, together a multiple of 8 bytes. Positions only grow.
"""

from __future__ import annotations

import mmap
from _thread import allocate_lock

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import ClosedError, os_error
from skelgen.runtime.process.forks import Lock
from skelgen.runtime.syscalls.numbers import MACHINE

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable, Sequence
    from typing import Final, TypeVar

    H = TypeVar("H")

_PAGE: Final = mmap.PAGESIZE
_BUSY: Final = 1 << 31
"""Reserved by a program, not committed yet."""
_DISCARD: Final = 1 << 30
"""Given up by its program."""
_BATCH: Final = 1 << 18
"""Bytes after which a batch ends, so that programs get room back early."""
_RUN: Final = 128
"""Most records of a run, which readers take without a look at the clock."""
STRONGLY_ORDERED: Final = MACHINE in {"x86_64", "i686", "s390x"}
"""Whether loads stay in order by themselves."""


class Run(Record):
    """Records of one batch: where their data starts, and how long it is."""

    offsets: Sequence[int]
    sizes: Sequence[int]


class Batch(Record):
    """A private copy of committed records."""

    data: bytes
    runs: list[Run]


def _map(fd: int, size: int, protection: int, offset: int, what: str) -> mmap.mmap:
    try:
        return mmap.mmap(
            fd, size, flags=mmap.MAP_SHARED, prot=protection, offset=offset
        )
    except OSError as error:
        raise os_error(error.errno or 0, command="mmap", what=what) from error


class RingMemory:
    """The mappings of one ring buffer of ``size`` bytes.

    Safe for threads and for signal handlers, which may read and close in the middle of
    a call of their own thread. A forked child has the same memory: what it takes, its
    parent does not get.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_consumer",
        "_data",
        "_headers",
        "_inside",
        "_lock",
        "_maps",
        "_producer",
        "_what",
        "lost",
        "size",
    )

    def __init__(self, fd: int, size: int, what: str) -> None:
        self.size: Final = size
        self._what: Final = what
        self.lost = 0
        """Bytes that were overwritten before they were taken, headers included."""
        self._lock: Final = Lock()
        self._inside = 0
        self._closed = False
        control = _map(fd, _PAGE, mmap.PROT_READ | mmap.PROT_WRITE, 0, what)
        try:
            ring = _map(fd, _PAGE + 2 * size, mmap.PROT_READ, _PAGE, what)
        except BaseException:
            control.close()
            raise
        self._maps: tuple[mmap.mmap, ...] = (control, ring)
        self._consumer = memoryview(control)[:8].cast("L")
        self._producer = memoryview(ring)[:24].cast("L")
        self._data = memoryview(ring)[_PAGE:]
        self._headers = self._data.cast("I")

    def close(self) -> None:
        """Unmap. Idempotent; waits for a call in another thread.

        One of this thread, which a signal handler interrupted, unmaps at its end.
        """
        with self._lock:
            self._closed = True
            self._leave()

    def _leave(self) -> None:
        if self._inside or not self._closed:
            return
        maps, self._maps = self._maps, ()
        if maps:
            for view in (self._headers, self._data, self._producer, self._consumer):
                view.release()
        for each in maps:
            each.close()

    def _check(self) -> None:
        if self._closed:
            raise ClosedError(f"{self._what}: the object was destroyed")

    def produced(self) -> int:
        """Return the producer's position: bytes that were ever reserved."""
        return self._positions()[0]

    def available(self) -> int:
        """Return how many bytes, headers included, are not taken out yet."""
        produced, consumed = self._positions()
        return produced - consumed

    def _positions(self) -> tuple[int, int]:
        with self._lock:
            self._check()
            try:
                self._inside += 1
                return self._ends()
            finally:
                self._inside -= 1
                self._leave()

    def _ends(self) -> tuple[int, int]:
        """Return where records end, and where those begin that are not taken out."""
        return self._producer[0], self._consumer[0]

    def take(
        self,
        queue: deque[H],
        each: Callable[[Batch], Iterable[H]],
        limit: int | None = None,
    ) -> bool:
        """Queue copies of committed records and give their room back; False without.

        ``each`` makes of a batch what is queued. False also from a limit on, which is
        a position that :meth:`produced` gave. Nothing comes between taking and
        queueing: not an interrupt, which would lose records, nor another thread, which
        would queue later ones first.
        """
        with self._lock:
            self._check()
            try:
                self._inside += 1
                return self._take(queue, each, limit)
            finally:
                self._inside -= 1
                self._leave()

    def _take(
        self,
        queue: deque[H],
        each: Callable[[Batch], Iterable[H]],
        limit: int | None,
    ) -> bool:
        # The order of loads and stores matters: the producer's position before headers,
        # headers before data (what is behind a header may be older than the header
        # otherwise), data before the consumer's position.
        consumer = self._consumer
        while True:
            start = consumer[0]
            stop = self._producer[0]
            length = (stop if limit is None else min(stop, limit)) - start
            if length <= 0:
                return False
            if not STRONGLY_ORDERED:
                barrier()
            first = start & (self.size - 1)
            end, runs = scan(self._headers, first >> 2, (first + length) >> 2)
            if not STRONGLY_ORDERED:
                barrier()
            data = bytes(self._data[first : end * 4])
            if not STRONGLY_ORDERED:
                barrier()
            if not data:
                return False
            position = start + len(data)
            queued = (*each(Batch(data, runs)),)
            self._check()  # a signal handler may have closed it
            # From here on no call: between two steps without one no handler runs. One
            # that ran before may have taken these records, as another process may.
            if consumer[0] == start:
                queue += queued
                consumer[0] = position
                return True


def barrier() -> None:
    """Keep loads on their side. Python has no fence; a release, then an acquire do.

    Twice through a lock, for what stands before one pass may sink into it, and what
    comes after may rise into it. A lock of its own, which nobody else can hold.
    """
    lock = allocate_lock()
    for _ in range(2):
        with lock:
            pass


def scan(
    headers: memoryview[int], first: int, stop: int, batch: int = _BATCH
) -> tuple[int, list[Run]]:
    """Find the committed records in words ``first`` to ``stop``, in so many bytes.

    Returns the word after the last, and offsets from ``first`` in bytes. Most ring
    buffers carry records of one length. Those are taken many at a time: when the
    words at regular distances all are the same header, they all are headers.
    """
    runs: list[Run] = []
    offsets: list[int] = []
    sizes: list[int] = []
    at = first
    limit = min(stop, first + batch // 4)
    reach = 8
    while at < limit:
        header = headers[at]
        if header & _BUSY:
            break
        size = header & ~_DISCARD
        step = (size + 15) // 8 * 2  # words from header to header
        if header & _DISCARD:
            at += step
            continue
        count = min((limit - at) // step, reach)
        if count > 2 and headers[at + step] == header:
            same = headers[at : at + count * step : step].tolist()
            equal = same.count(header)
            if equal != count:
                equal = next(i for i, other in enumerate(same) if other != header)
                reach = 8
            else:
                reach = min(4 * reach, _RUN)
            if offsets:
                runs.append(Run(offsets, sizes))
                offsets, sizes = [], []
            begin = 4 * (at - first) + 8
            places = range(begin, begin + 4 * equal * step, 4 * step)
            runs.append(Run(places, (size,) * equal))
            at += equal * step
        else:
            offsets.append(4 * (at - first) + 8)
            sizes.append(size)
            at += step
            if len(offsets) == _RUN:
                runs.append(Run(offsets, sizes))
                offsets, sizes = [], []
    if offsets:
        runs.append(Run(offsets, sizes))
    return at, runs
