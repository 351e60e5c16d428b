"""Ring buffers: records that BPF programs send, as Python values."""

from __future__ import annotations

# ruff: noqa: SLF001 (poll() is a method of several ring buffers)
# pyright: reportPrivateUsage=false
import time
from collections import deque
from itertools import repeat

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar, overload
from skelgen.arguments import checks_arguments, must_be
from skelgen.runtime.errors import BpfError
from skelgen.runtime.maps.base import Map
from skelgen.runtime.streams.ring import Batch, RingMemory, Run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from typing import Any, Final

    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.syscalls.info import MapInfo
    from skelgen.runtime.values.codec import Codec

R = TypeVar("R")


class RingBuf(Map, Generic[R]):
    """``BPF_MAP_TYPE_RINGBUF``, Linux 5.8: a stream of records of type ``R``.

    Records are copies, its reader's own. Each goes to one reader; several threads may
    read, and signal handlers, and each gets its records in the order that they were
    sent in. What was
    taken out of the ring but not handed out yet, because a loop ended early, comes
    first the next time. A record shorter than ``R`` raises :class:`BpfError` in its
    turn and is dropped; of a longer one the rest is left out (unless ``R`` ends in a
    flexible array).

    With ``BPF_F_RB_OVERWRITE`` (Linux 6.19) the newest records come, in order, and
    :attr:`lost_bytes` counts the rest.

    A forked child reads the same ring: let one of the two processes read it, for what
    one takes the other does not get.
    """

    family = "RingBuf"
    __slots__ = ("_least", "_memory", "_pending", "_read", "_sized", "_text")

    @overload
    def __init__(self: RingBuf[bytes], handle: MapHandle, *, record: None) -> None: ...
    @overload
    def __init__(self, handle: MapHandle, *, record: Codec[R]) -> None: ...
    def __init__(self, handle: MapHandle, *, record: Codec[Any] | None) -> None:
        super().__init__(handle)
        sized = _cut if record is None else record.sized_reader()
        self._sized: Final = sized is not None
        """Whether the size of a record matters for reading it."""
        self._read: Callable[..., R] = (
            record.reader() if sized is None and record is not None else sized  # type: ignore[assignment] # one of the two is there
        )
        self._least: Final = 0 if record is None else record.least
        self._text: Final = "" if record is None else record.text
        self._memory: RingMemory | None = None
        self._pending: Final[deque[Iterator[R]]] = deque()

    # -- reading ---------------------------------------------------------------

    def consume(self) -> Iterator[R]:
        """Yield the records that are there at the time of the call; do not wait."""
        return self._drain(self._open().produced())

    @checks_arguments
    def poll(self, timeout: float | None = None) -> Iterator[R]:
        """Yield records as they come, until ``timeout`` seconds after the call.

        None never ends. 0 is the same as :meth:`consume`. The clock is looked at
        every 128 records at least; what a loop does not come to stays for the next.
        """
        if timeout is not None and timeout <= 0:
            return self.consume()
        self._open()
        return self._until(None if timeout is None else time.monotonic() + timeout)

    @checks_arguments
    def dispatch(
        self, callback: Callable[[R], object], timeout: float | None = 0
    ) -> int:
        """Call ``callback`` with each record of :meth:`poll`; return how many.

        An exception of the callback ends it; the records behind stay.
        """
        count = 0
        for record in self.poll(timeout):
            callback(record)
            count += 1
        return count

    def __aiter__(self) -> AsyncIterator[R]:
        """Yield records as they come, without blocking the event loop."""
        self._open()
        return self._stream()

    def fileno(self) -> int:
        """Return the fd, which is readable when there is something to read."""
        return self.fd()

    @property
    def size(self) -> int:
        """Bytes of the ring."""
        return self._open().size

    @property
    def available(self) -> int:
        """Bytes in the ring that are not taken out yet, headers included.

        A record can be pending in this object although it is 0.
        """
        return self._open().available()

    @property
    def lost_bytes(self) -> int:
        """Bytes that were overwritten before they were read, headers of 8 included.

        Always 0 without ``BPF_F_RB_OVERWRITE`` (Linux 6.19), where programs find the
        ring full. A loss counts when the record behind it is taken out.
        """
        return self._open().lost

    # -- inside ----------------------------------------------------------------

    def _open(self) -> RingMemory:
        self.fd()  # raises before load and after destroy
        memory = self._memory
        if memory is None:
            from skelgen.runtime.syscalls.info import map_info

            handle = self._handle
            # another thread may destroy the object now, or be here too
            with handle.use() as fd, handle.lock:
                info = map_info(fd)
                self._check_type(info.type)
                memory = self._memory
                if memory is None:
                    memory = _memory(fd, info, f"map '{self.name}'")
                    handle.track(memory)
                    self._memory = memory
        return memory

    def _fill(self, limit: int | None) -> bool:
        """Move a batch from the ring to what is pending; False when it is empty."""
        memory = self._memory or self._open()
        return memory.take(self._pending, self._queued, limit)

    def _queued(self, batch: Batch) -> Iterator[Iterator[R]]:
        """Yield what of a batch is pending then, a run at a time."""
        for run in batch.runs:
            if min(run.sizes) >= self._least:
                yield self._records(batch, run)
            else:
                yield from self._one_by_one(batch, run)

    def _records(self, batch: Batch, run: Run) -> Iterator[R]:
        """Return an iterator over the records of a run."""
        data = repeat(batch.data)
        if self._sized:
            return map(self._read, data, run.offsets, run.sizes)
        return map(self._read, data, run.offsets)

    def _one_by_one(self, batch: Batch, run: Run) -> Iterator[Iterator[R]]:
        """Yield the records of a run with some that are too short."""
        for offset, size in zip(run.offsets, run.sizes, strict=True):
            if size >= self._least:
                yield self._records(batch, Run((offset,), (size,)))
            else:
                error = BpfError(
                    f"map '{self.name}': record of {size} bytes is too short for "
                    f"{self._text}, which has {self._least}"
                )
                yield _Short(error)

    def _heads(self, limit: int | None) -> Iterator[Iterator[R]]:
        """Yield what is pending, a run at a time, then what is in the ring.

        Unpacking is left to the caller; a run that was not read to its end stays.
        """
        pending = self._pending
        while True:
            if not pending and not self._fill(limit):
                return
            try:
                head = pending[0]
            except IndexError:  # another thread has it, or all was discarded
                continue
            yield head
            # another thread may have come to its end and dropped it
            with self._handle.lock:
                if pending and pending[0] is head:
                    pending.popleft()

    def _drain(self, limit: int) -> Iterator[R]:
        for head in self._heads(limit):
            yield from head

    def _until(self, deadline: float | None) -> Iterator[R]:
        from skelgen.runtime.streams import wait as ringwait

        waiter = ringwait.Waiter((self._handle,))
        try:
            while True:
                for head in self._heads(None):
                    yield from head
                    if deadline is not None and time.monotonic() >= deadline:
                        return
                if deadline is not None and time.monotonic() >= deadline:
                    return
                waiter.wait(deadline)
        finally:
            waiter.close()

    async def _stream(self) -> AsyncIterator[R]:
        import asyncio

        from skelgen.runtime.streams import wait as ringwait

        waiter = ringwait.AsyncWaiter(self._handle)
        try:
            while True:
                found = False
                for head in self._heads(None):
                    if found:
                        await asyncio.sleep(0)  # let others run, however many come
                    found = True
                    for record in head:
                        yield record
                self._open()  # raises after destroy
                await waiter.wait()
        finally:
            waiter.close()


def _memory(fd: int, info: MapInfo, what: str) -> RingMemory:
    from skelgen.model.flags import BPF_F_RB_OVERWRITE

    if info.flags & BPF_F_RB_OVERWRITE:
        from skelgen.runtime.streams.overwrite import OverwrittenMemory

        return OverwrittenMemory(fd, info.max_entries, what)
    return RingMemory(fd, info.max_entries, what)


class _Short(Generic[R]):
    """The place of a record that is too short: raises once."""

    __slots__ = ("_error",)

    def __init__(self, error: BpfError) -> None:
        self._error: BpfError | None = error

    def __iter__(self) -> Iterator[R]:
        return self

    def __next__(self) -> R:
        error, self._error = self._error, None
        if error is None:
            raise StopIteration
        raise error


def _cut(data: bytes, offset: int, size: int) -> bytes:
    """Return a record without a type."""
    return data[offset : offset + size]


@checks_arguments
def poll(
    rings: Iterable[RingBuf[R]], timeout: float | None = None
) -> Iterator[tuple[RingBuf[R], R]]:
    """Yield ring and record of several ring buffers, as they come.

    Until ``timeout`` seconds after the call, like :meth:`RingBuf.poll`; with 0 what
    is there now. Rings take turns, a run of at most 128 records each.
    """
    these = tuple(rings)
    for ring in these:
        must_be(RingBuf, ring, "rings", "ring buffers")
        ring._open()
    if timeout is not None and timeout <= 0:
        return _tagged(_turns([(ring, ring._open().produced()) for ring in these]))
    deadline = None if timeout is None else time.monotonic() + timeout
    return _tagged(_poll(these, deadline))


def _tagged(
    heads: Iterator[tuple[RingBuf[R], Iterator[R]]],
) -> Iterator[tuple[RingBuf[R], R]]:
    for ring, head in heads:
        # repeat() first: zip asks it before the record, which would be lost else
        yield from zip(repeat(ring), head)


def _turns(
    rings: Iterable[tuple[RingBuf[R], int | None]],
) -> Iterator[tuple[RingBuf[R], Iterator[R]]]:
    """Yield runs of records, each ring in its turn, until all are read to a limit."""
    turns = deque((ring, ring._heads(limit)) for ring, limit in rings)
    while turns:
        ring, heads = turns[0]
        head = next(heads, None)
        if head is None:
            turns.popleft()
        else:
            yield ring, head
            turns.rotate(-1)


def _poll(
    rings: tuple[RingBuf[R], ...], deadline: float | None
) -> Iterator[tuple[RingBuf[R], Iterator[R]]]:
    """Yield runs of records of several rings until the deadline."""
    from skelgen.runtime.streams import wait as ringwait

    waiter = ringwait.Waiter(ring._handle for ring in rings)
    try:
        while True:
            for turn in _turns([(ring, None) for ring in rings]):
                yield turn
                if deadline is not None and time.monotonic() >= deadline:
                    return
            if deadline is not None and time.monotonic() >= deadline:
                return
            waiter.wait(deadline)
    finally:
        waiter.close()
