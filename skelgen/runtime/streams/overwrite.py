"""Ring buffers that overwrite their oldest records (``BPF_F_RB_OVERWRITE``, Linux 6.19).

The producer's page has two more positions there: of the oldest record that is not
committed yet, and of the oldest that is whole still. The kernel moves the latter before
it writes a header over what was there. So a reader copies first and looks then: what
lies at that position or behind it was not touched while it was copied.

A program never waits for a reader; giving room back early has no use here, and a batch
is all that is there.
"""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.streams.ring import (
    STRONGLY_ORDERED,
    Batch,
    RingMemory,
    barrier,
    scan,
)

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable
    from typing import Final, TypeVar

    H = TypeVar("H")

_WHOLE: Final = 2
"""Where in the producer's page the position of the oldest whole record is, in words."""


class OverwrittenMemory(RingMemory):
    """The mappings of a ring buffer whose producer does not wait for its consumer."""

    __slots__ = ()

    def _ends(self) -> tuple[int, int]:
        while True:
            produced, start, _ = self._look()
            if start <= produced:
                return produced, start

    def _look(self) -> tuple[int, int, int]:
        """Return where records end, where whole ones begin, where reading ended.

        The first may be less than the second: then the producer went round in between.
        """
        read = self._consumer[0]
        produced = self._producer[0]
        if not STRONGLY_ORDERED:
            barrier()
        return produced, max(read, self._producer[_WHOLE]), read

    def _take(
        self,
        queue: deque[H],
        each: Callable[[Batch], Iterable[H]],
        limit: int | None,
    ) -> bool:
        consumer = self._consumer
        while True:
            produced, start, read = self._look()
            if start > produced:
                continue
            length = (produced if limit is None else min(produced, limit)) - start
            if length <= 0:
                return False
            first = start & (self.size - 1)
            # Twice: behind the header of a committed record of the first copy is its
            # data in the second, while in the first there may be what was there before.
            headers = memoryview(bytes(self._data[first : first + length])).cast("I")
            if not STRONGLY_ORDERED:
                barrier()
            copy = bytes(self._data[first : first + length])
            if not STRONGLY_ORDERED:
                barrier()
            begin = max(0, self._producer[_WHOLE] - start)
            if begin >= length:
                continue
            end, runs = scan(headers, begin >> 2, length >> 2, length)
            data = copy[begin : end * 4]
            queued = (*each(Batch(data, runs)),) if data else ()
            self._check()  # a signal handler may have closed it
            lost = start + begin - read
            # From here on no call, as in the other _take().
            if consumer[0] == read:
                queue += queued
                # also up to a record that is not committed: its commit wakes then
                consumer[0] = start + end * 4
                self.lost += lost
                if data or not lost:
                    return bool(data)
