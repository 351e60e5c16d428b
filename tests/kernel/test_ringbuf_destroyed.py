"""Ring buffers before load and after destroy: readers end, and nothing crashes."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from skelgen.runtime.errors import ClosedError, StateError
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.ringbuf import RingBuf, poll
from skelgen.runtime.values import codec as c
from tests.harness.ringbuf import Ring
from tests.harness.ringbuf_records import numbers, take

pytestmark = pytest.mark.any_kernel


@pytest.fixture
def ring() -> Iterator[Ring]:
    with Ring() as made:
        yield made


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


def test_every_use_before_load_and_after_destroy_is_refused(ring: Ring) -> None:
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


def test_a_crowd_of_readers_ends_when_it_is_destroyed() -> None:
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
