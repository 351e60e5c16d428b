"""Ring buffers of the tests, with records of two types."""

# ruff: noqa: RUF012 (as generated)

import ctypes

from skelgen.runtime.maps.ringbuf import RingBuf
from skelgen.runtime.values import codec as c
from skelgen.runtime.values.member import FlexibleBytes
from skelgen.runtime.values.struct import Struct, struct
from tests.harness.ringbuf import Ring


class Event(Struct):
    seq: int
    rest: int

    _fields_ = [("seq", ctypes.c_uint64), ("rest", ctypes.c_uint64)]


class Growing(Struct):
    seq: int

    _fields_ = [("seq", ctypes.c_uint64)]

    rest = FlexibleBytes(offset=8)


def events(ring: Ring) -> RingBuf[Event]:
    return RingBuf(ring.handle, record=struct(Event))


def numbers(ring: Ring) -> RingBuf[int]:
    return RingBuf(ring.handle, record=c.U64)


async def take(rb: RingBuf[int], count: int) -> list[int]:
    """Return so many records of an asynchronous loop."""
    got: list[int] = []
    async for number in rb:
        got.append(number)
        if len(got) == count:
            break
    return got
