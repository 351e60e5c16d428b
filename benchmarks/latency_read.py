"""Reads the events of latency.bpf.c with skelgen: what latency.py starts.

``latency_read.py OBJECT.o COUNT poll|rt.poll|async``: prints the fd of the program when
it is ready, then the nanoseconds that each event took. Types and ring buffer are as in a
generated module, but without one: each tree of skelgen would generate its own.
"""

import asyncio
import sys
from collections.abc import Callable
from time import monotonic_ns

import skelgen
from skelgen import runtime as rt


class Event(rt.Struct, size=16):
    """``struct event``."""

    sent: int = rt.member(rt.U64, 0)
    number: int = rt.member(rt.U64, 8)


def main(path: str, count: str, how: str) -> None:
    """Load, read so many events, and print."""
    with skelgen.open_object(path) as obj:
        obj.load()
        events = rt.RingBuf(obj.map("events"), record=rt.struct(Event))
        print(obj.programs["send_event"].fd(), flush=True)
        took = READERS[how](events, int(count))
    print(*took, sep="\n")


def poll(events: rt.RingBuf[Event], count: int) -> list[int]:
    """Read by iterating over one ring buffer."""
    took: list[int] = []
    for event in events.poll():
        took.append(monotonic_ns() - event.sent)
        if len(took) == count:
            break
    return took


def poll_all(events: rt.RingBuf[Event], count: int) -> list[int]:
    """Read through the function that reads several."""
    took: list[int] = []
    for _, event in rt.poll([events]):
        took.append(monotonic_ns() - event.sent)
        if len(took) == count:
            break
    return took


def read_async(events: rt.RingBuf[Event], count: int) -> list[int]:
    """Read in a task of asyncio."""

    async def read() -> list[int]:
        took: list[int] = []
        async for event in events:
            took.append(monotonic_ns() - event.sent)
            if len(took) == count:
                break
        return took

    return asyncio.run(read())


READERS: dict[str, Callable[[rt.RingBuf[Event], int], list[int]]] = {
    "poll": poll,
    "rt.poll": poll_all,
    "async": read_async,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
