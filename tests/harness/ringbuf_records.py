"""Ring buffers of the tests, with records of two types."""

from skelgen.runtime.maps.ringbuf import RingBuf
from skelgen.runtime.values import codec as c
from skelgen.runtime.values.member import flexible_bytes, member
from skelgen.runtime.values.struct import Struct, struct
from tests.harness.ringbuf import Ring


class Event(Struct, size=16):
    seq: int = member(c.U64, 0)
    rest: int = member(c.U64, 8)


class Growing(Struct, size=8):
    seq: int = member(c.U64, 0)
    rest: bytes = flexible_bytes(8)


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
