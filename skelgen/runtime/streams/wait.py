"""Waiting for ring buffers: one epoll a reader, woken once for each wake-up.

A ring buffer is readable as long as something is in it, also a record that a program
has reserved and not committed yet, for which there is nothing to do but wait. So the
epoll is edge-triggered: the kernel wakes readers at the commit of a record that the
consumer's position has come up to (``ringbuf_commit()``), and at nothing else. Who
reads until nothing is found and waits then misses none.
"""

from __future__ import annotations

import os
import select
import time

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.runtime.errors import os_error

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, TimerHandle
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from typing import Final

SLICE: Final = 0.25
"""Longest wait in seconds before a reader looks whether its map is still there, and
whether records came that wake nobody (``BPF_RB_NO_WAKEUP``)."""


class Readable(Protocol):
    """A map that can be waited for."""

    def use(self) -> AbstractContextManager[int]:
        """Return its fd for a ``with``; raise where it is closed."""
        ...


class Waiter:
    """The epoll of a reader of some ring buffers, which its first wait opens."""

    __slots__ = ("_epoll", "_handles", "_pid")

    def __init__(self, handles: Iterable[Readable]) -> None:
        self._handles: Final = tuple(dict.fromkeys(handles))
        self._epoll: select.epoll | None = None
        self._pid = 0

    def open(self) -> select.epoll:
        """Return the epoll.

        Raises ClosedError after the map's object was destroyed, BpfOSError (EMFILE)
        without an fd for it.
        """
        # A child has the parent's epoll, which wakes one of the two alone.
        if self._epoll is None or self._pid != os.getpid():
            self.close()
            try:
                self._epoll = select.epoll()
                for handle in self._handles:
                    with handle.use() as fd:
                        self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)
            except OSError as error:
                raise os_error(
                    error.errno or 0, command="epoll", what="waiting for ring buffers"
                ) from error
            self._pid = os.getpid()
        return self._epoll

    def wait(self, deadline: float | None) -> None:
        """Wait for a wake-up since the last one, a quarter of a second, or until then.

        The first wait ends at once where something is in a ring buffer.
        """
        seconds = SLICE
        if deadline is not None:
            seconds = min(seconds, max(0.0, deadline - time.monotonic()))
        self.open().poll(seconds)

    def close(self) -> None:
        """Close the epoll. Idempotent."""
        epoll, self._epoll = self._epoll, None
        if epoll is not None:
            epoll.close()


class AsyncWaiter:
    """The same in a task of asyncio, without blocking its event loop.

    The loop watches the epoll from the first wait on; it has one callback an fd, and so
    it cannot be given the ring buffer itself, which may have other readers.
    """

    __slots__ = ("_epoll", "_future", "_loop", "_timer", "_waiter", "_woken")

    def __init__(self, handle: Readable) -> None:
        self._waiter: Final = Waiter((handle,))
        self._loop: AbstractEventLoop | None = None
        self._epoll: select.epoll | None = None
        self._future: Future[None] | None = None
        self._timer: TimerHandle | None = None
        self._woken = False

    async def wait(self) -> None:
        """Wait for a wake-up since the last one, or a quarter of a second."""
        loop = self._loop
        if loop is None:
            loop = self._start()
        if not self._woken:
            self._future = loop.create_future()
            try:
                await self._future
            finally:
                self._future = None
        self._woken = False

    def _start(self) -> AbstractEventLoop:
        import asyncio

        loop = asyncio.get_running_loop()
        self._epoll = self._waiter.open()
        loop.add_reader(self._epoll.fileno(), self._readable)
        self._timer = loop.call_later(SLICE, self._tick)
        self._loop = loop
        return loop

    def _readable(self) -> None:
        if self._epoll is not None:
            self._epoll.poll(0)  # takes the wake-up, which the loop has only seen
            self._wake()

    def _tick(self) -> None:
        if self._loop is not None:
            self._timer = self._loop.call_later(SLICE, self._tick)
            self._wake()

    def _wake(self) -> None:
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def close(self) -> None:
        """Have the loop forget it. Idempotent."""
        loop, self._loop = self._loop, None
        epoll, self._epoll = self._epoll, None
        if self._timer is not None:
            self._timer.cancel()
        if loop is not None and epoll is not None and not loop.is_closed():
            loop.remove_reader(epoll.fileno())
        self._waiter.close()
