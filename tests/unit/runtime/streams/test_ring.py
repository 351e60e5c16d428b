"""Finding committed records in the memory of a ring buffer."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.runtime.streams import ring as ringscan

BUSY, DISCARD = 1 << 31, 1 << 30


class Record(NamedTuple):
    size: int
    flags: int = 0


def headers(records: Sequence[Record]) -> memoryview:
    """Return the memory of records, as words."""
    memory = b"".join(
        struct.pack("=II", record.size | record.flags, 3).ljust(
            (record.size + 15) // 8 * 8, b"\xaa"
        )
        for record in records
    )
    return memoryview(memory).cast("I")


def found(records: Sequence[Record]) -> list[tuple[int, int]]:
    """Return offset and size of what the scan says is committed."""
    words = headers(records)
    _, runs = ringscan.scan(words, 0, len(words))
    return [pair for run in runs for pair in zip(run.offsets, run.sizes, strict=True)]


def expected(records: Sequence[Record]) -> list[tuple[int, int]]:
    """Return the same, one record after the other."""
    result, at = [], 0
    for record in records:
        if record.flags & BUSY:
            break
        if not record.flags & DISCARD and at < ringscan._BATCH:
            result.append((at + 8, record.size))
        at += (record.size + 15) // 8 * 8
    return result


records_strategy = st.lists(
    st.builds(
        Record,
        st.sampled_from([0, 1, 7, 8, 9, 24, 32, 100]),
        st.sampled_from([0] * 12 + [DISCARD, BUSY]),
    ),
    max_size=60,
).flatmap(
    lambda some: st.lists(st.sampled_from(some or [Record(8)]), max_size=200).map(
        lambda more: [*some, *sorted(more)]
    )
)


@given(records_strategy)
def test_runs_and_singles_give_the_same_as_a_walk(records: list[Record]) -> None:
    assert found(records) == expected(records)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 127, 128, 129, 5000])
def test_equal_records_are_taken_in_runs(count: int) -> None:
    words = headers([Record(32)] * count)
    end, runs = ringscan.scan(words, 0, len(words))
    assert end == len(words)
    assert sum(len(run.offsets) for run in runs) == count
    assert max(len(run.offsets) for run in runs) <= 128
    if count > 128:
        assert len(runs) < count // 16


def test_a_batch_ends_somewhere() -> None:
    records = [Record(1000)] * 1000
    words = headers(records)
    end, _ = ringscan.scan(words, 0, len(words))
    assert end * 4 <= ringscan._BATCH + 1008
    assert end % 252 == 0


def test_data_that_looks_like_a_header_is_none() -> None:
    # the second record is longer, and a copy of the first header lies in its data
    fake = struct.pack("=II", 8, 3)
    memory = (fake + b"........") + struct.pack("=II", 24, 3) + fake + bytes(16)
    memory += (fake + b"........") * 3
    words = memoryview(memory).cast("I")
    _, runs = ringscan.scan(words, 0, len(words))
    pairs = [p for r in runs for p in zip(r.offsets, r.sizes, strict=True)]
    assert pairs == [(8, 8), (24, 24), (56, 8), (72, 8), (88, 8)]


def test_a_reserved_record_holds_up_those_behind() -> None:
    assert found([Record(8), Record(8, BUSY), Record(8)]) == [(8, 8)]
    assert found([Record(8, BUSY)]) == []
    assert found([Record(8, DISCARD), Record(16)]) == [(24, 16)]
