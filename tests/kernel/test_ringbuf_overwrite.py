"""Ring buffers that overwrite give the newest records, in order, and count the rest."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from skelgen.model.flags import BPF_F_RB_OVERWRITE
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.maps.ringbuf import poll
from tests.harness import privilege
from tests.harness.ringbuf import Ring
from tests.harness.ringbuf_records import Event, events, numbers, take

ROOM = 4096 // 16 - 1
"""Records of 8 bytes that a page has room for."""


@pytest.fixture
def ring() -> Iterator[Ring]:
    try:
        made = Ring(flags=BPF_F_RB_OVERWRITE)
    except BpfOSError as error:
        if error.errno != errno.EINVAL or privilege.kernel_at_least(6, 19):
            raise
        pytest.skip("this kernel has no BPF_F_RB_OVERWRITE, in Linux since 6.19")
    with made:
        yield made


@pytest.mark.parametrize("count", [10, ROOM, ROOM + 1, 513, 514, 3000])
def test_the_newest_come_in_order(ring: Ring, count: int) -> None:
    rb = numbers(ring)
    ring.write(count)
    there = min(count, ROOM)
    assert rb.available == there * 16
    assert list(rb.consume()) == list(range(count - there, count))
    assert rb.lost_bytes == (count - there) * 16
    ring.write(3)
    assert list(rb.poll(0.05)) == [count, count + 1, count + 2]
    assert list(poll([rb], 0)) == []
    assert rb.lost_bytes == (count - there) * 16


def test_records_of_several_sizes(ring: Ring) -> None:
    rb = events(ring)
    for size in (16, 504, 24, 100, 16):
        ring.write(20, size)
    got = [event.seq for event in rb.consume()]
    assert got == list(range(100 - len(got), 100))
    assert len(got) > 20
    assert rb.available == 0


def test_beside_a_program_that_never_stops(ring: Ring) -> None:
    """No record twice, none out of order, and what is missing was counted."""
    rb = events(ring)
    runs, done = 60, threading.Event()

    def produce() -> None:
        for _ in range(runs):
            ring.write(500, 16)
        done.set()

    got: list[Event] = []
    thread = threading.Thread(target=produce)
    thread.start()
    while not done.is_set():
        got += rb.poll(0.01)
    thread.join()
    got += rb.consume()
    numbers = [event.seq for event in got]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 500 * runs - 1
    assert len(got) * 24 + rb.lost_bytes == 500 * runs * 24


def test_an_asynchronous_loop(ring: Ring) -> None:
    rb = numbers(ring)
    ring.write(700)

    async def main() -> list[int]:
        first = await take(rb, ROOM)
        asyncio.get_running_loop().call_later(0.05, ring.write, 2)
        return first + await take(rb, 2)

    assert asyncio.run(main()) == list(range(700 - ROOM, 702))
    assert rb.lost_bytes == (700 - ROOM) * 16


def test_typed_records_of_a_skeleton(
    make_skeleton: Callable[[str], ModuleType],
) -> None:
    """Of a ring that is told to overwrite before load."""
    with make_skeleton("ringbuf").Ringbuf.open() as skel:
        skel.maps.rb.flags |= BPF_F_RB_OVERWRITE
        skel.maps.rb.max_entries = 4096
        skel.rodata.only_pid = os.getpid()
        try:
            skel.load()
        except BpfOSError as error:
            if error.errno != errno.EINVAL or privilege.kernel_at_least(6, 19):
                raise
            pytest.skip("this kernel has no BPF_F_RB_OVERWRITE, in Linux since 6.19")
        skel.attach()
        for _ in range(300):
            os.getppid()
        got = list(skel.maps.rb.consume())
        there = 4095 // 48
        assert [event.number for event in got] == list(range(300 - there, 300))
        assert {(event.pid, event.pair.b) for event in got} == {(os.getpid(), 2)}
        assert skel.bss.lost == 0
        assert skel.maps.rb.lost_bytes == (300 - there) * 48
