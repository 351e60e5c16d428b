"""What is read from a map is a copy: it cannot be written to, and no element is lost."""

import copy
import ctypes
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime.maps.array import ArrayMap
from skelgen.runtime.maps.generic import GenericMap
from skelgen.runtime.maps.hash import HashMap
from skelgen.runtime.maps.percpu_hash import PerCpuHashMap
from skelgen.runtime.memory.section import PrivatePages
from skelgen.runtime.syscalls import sizes
from skelgen.runtime.values import codec as c
from skelgen.runtime.values.array import Array, array
from skelgen.runtime.values.member import bits, member
from skelgen.runtime.values.struct import Struct, Union, struct
from tests.harness.maps import made

pytestmark = pytest.mark.any_kernel


class Inner(Struct, size=8):
    x: int = member(c.U32, 0)
    name: bytes = member(c.CString(4), 4)


class Either(Union, size=8):
    low: int = member(c.U32, 0)
    high: int = member(c.U64, 0)


class Value(Struct, size=88):
    count: int = member(c.U64, 0)
    inner: Inner = member(struct(Inner), 8)
    arr: Array[int] = member(array(c.U32, 4), 16)
    grid: Array[Array[int], Sequence[int]] = member(array(array(c.U16, 2), 2), 32)
    inners: Array[Inner] = member(array(struct(Inner), 2), 40)
    either: Either = member(struct(Either), 56)
    big: int = member(c.U128, 64)
    mode: int = bits(80 * 8, width=3)
    again: Inner = member(struct(Inner), 8)


class Key(Struct, size=4):
    port: int = member(c.U16, 0)
    proto: int = member(c.U8, 2)


WRITES: dict[str, Callable[[Any], object]] = {
    "count": lambda v: setattr(v, "count", 1),
    "inner": lambda v: setattr(v, "inner", Inner(x=9)),
    "inner.x": lambda v: setattr(v.inner, "x", 1),
    "inner.name": lambda v: setattr(v.inner, "name", b"x"),
    "arr": lambda v: setattr(v, "arr", [1, 2, 3, 4]),
    "arr[0]": lambda v: v.arr.__setitem__(0, 1),
    "arr[:]": lambda v: v.arr.__setitem__(slice(None), [1, 2, 3, 4]),
    "grid[0][1]": lambda v: v.grid[0].__setitem__(1, 1),
    "inners[1].x": lambda v: setattr(v.inners[1], "x", 1),
    "inners[:][1].x": lambda v: setattr(v.inners[:][1], "x", 1),
    "either.low": lambda v: setattr(v.either, "low", 1),
    "big": lambda v: setattr(v, "big", 1),
    "mode": lambda v: setattr(v, "mode", 1),
    "again.x": lambda v: setattr(v.again, "x", 1),
}
SIZE = ctypes.sizeof(Value)


@pytest.fixture
def values() -> Iterator[HashMap[int, Any]]:
    with made(MapType.HASH, 4, SIZE, 10) as handle:
        yield HashMap(handle, key=c.U32, value=struct(Value))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_value_of_a_map_is_read_only_in_depth(
    values: HashMap[int, Any], write: Callable[[Any], object]
) -> None:
    values[1] = Value(count=3)
    reads: tuple[Callable[[], Any], ...] = (
        lambda: values[1],
        lambda: values.get(1),
        lambda: values.lookup(1),
        lambda: next(iter(values.values())),
        lambda: next(iter(values.items()))[1],
        lambda: values.pop(1),
    )
    for read in reads:
        with pytest.raises(TypeError) as caught:
            write(read())
        assert str(caught.value) == (
            "map 'm': its value is a copy, and read-only; change one of your own and"
            " write that: new = copy.deepcopy(value), then maps.m[key] = new"
        )
    assert not values, "the last one took it out"
    values[1] = Value(count=3)
    # as the error says
    new = copy.deepcopy(values[1])
    write(new)
    values[1] = new
    assert bytes(values[1]) == bytes(new) != bytes(Value(count=3))
    assert values[1] == new
    assert pickle.loads(pickle.dumps(values[1])) == new  # noqa: S301 - our own
    write(copy.copy(values[1]))
    other: HashMap[int, Any] = values
    other[2] = values[1]
    assert other[2] == new


@pytest.mark.parametrize("kind", [MapType.QUEUE, MapType.STACK])
def test_a_value_of_a_map_without_keys_is_read_only_too(kind: MapType) -> None:
    with made(kind, 0, SIZE, 4) as handle:
        values: GenericMap[Any, Any] = GenericMap(
            handle, key=c.Bytes(0), value=struct(Value)
        )
        values.push(Value(count=1))
        value = values.pop()
        with pytest.raises(TypeError, match=r"then maps\.m\.push\(new\)$"):
            value.count = 2
        # as the error says
        new = copy.deepcopy(value)
        new.count = 2
        values.push(new)
        assert values.pop() == new


def test_arrays_unions_and_lists_of_cpus_are_read_only_too() -> None:
    cpus = sizes.possible_cpus()
    with made(MapType.ARRAY, 4, 16, 2) as handle:
        rows = ArrayMap(handle, value=array(c.U64, 2))
        rows[0] = [1, 2]
        with pytest.raises(TypeError, match=r"map 'm': its value is a copy.* maps.m\["):
            rows[0][1] = 5
        with pytest.raises(TypeError, match="is a copy"):
            next(iter(rows))[1] = 5
        assert rows[0] == [1, 2]
        new = copy.deepcopy(rows[0])
        new[1] = 5
        rows[0] = new
        assert rows[0] == [1, 5]
    with made(MapType.ARRAY, 4, 8, 2) as handle:
        either = ArrayMap(handle, value=struct(Either))
        with pytest.raises(TypeError, match="is a copy"):
            either[0].low = 5
    with made(MapType.PERCPU_HASH, 4, 8, 2) as handle:
        counts: PerCpuHashMap[int, int] = PerCpuHashMap(handle, key=c.U32, value=c.U64)
        counts[1] = [0] * cpus
        row = counts[1]
        changes: tuple[Callable[[], object], ...] = (
            lambda: row.__setitem__(0, 1),
            lambda: row.__delitem__(0),
            lambda: row.__iadd__([1]),
            lambda: row.append(1),
            row.clear,
            row.sort,
        )
        for change in changes:
            with pytest.raises(TypeError, match="map 'm': its value is a copy"):
                change()
        assert row == [0] * cpus
        again = pickle.loads(pickle.dumps(row))  # noqa: S301 - our own
        assert type(copy.deepcopy(row)) is type(again) is list
        own = list(row)
        own[0] += 1
        counts[1] = own
        assert sum(counts[1]) == 1
    with made(MapType.PERCPU_HASH, 4, 8, 2) as handle:
        inners: PerCpuHashMap[int, Inner] = PerCpuHashMap(
            handle, key=c.U32, value=struct(Inner)
        )
        inners[1] = [Inner()] * cpus
        with pytest.raises(TypeError, match="is a copy"):
            inners[1][0].x = 1  # type: ignore[attr-defined] # of the class above
        new_inners = copy.deepcopy(inners[1])
        new_inners[0].x = 1  # type: ignore[attr-defined] # likewise
        inners[1] = new_inners
        assert inners[1] == new_inners
    with made(MapType.QUEUE, 0, 8, 2) as handle:
        queue = GenericMap(handle, key=c.Bytes(0), value=struct(Inner))
        queue.push(Inner())
        with pytest.raises(TypeError, match=r"then maps\.m\.push\(new\)$"):
            queue.peek().x = 1  # type: ignore[union-attr] # there is one


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_record_is_its_readers_own(write: Callable[[Any], object]) -> None:
    record = struct(Value).reader()(bytes(SIZE), 0)
    write(record)
    assert any(bytes(record))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_global_is_memory_that_is_written(write: Callable[[Any], object]) -> None:
    memory = PrivatePages(-1, 4096)
    write(struct(Value).live(memory)[0])
    assert any(memory[:SIZE])


# -- keys ------------------------------------------------------------------------


def test_keys_that_differ_in_padding_are_all_there() -> None:
    with made(MapType.HASH, 4, 4, 10) as handle:
        raw = HashMap(handle, key=c.Bytes(4), value=c.U32)
        flows = HashMap(handle, key=struct(Key), value=c.U32)
        plain = bytes(Key(port=80, proto=6))
        for n in range(3):
            raw[plain[:3] + bytes([n])] = n
        copied = dict(flows.items())
        assert len(copied) == len(flows) == len(set(flows)) == len(dict(flows)) == 3
        assert sorted(copied.values()) == [0, 1, 2]
        # what is made here has zeros in the padding, and finds that element here and there
        own = Key(port=80, proto=6)
        assert copied[own] == flows[own] == 0
        assert own in copied
        for key, value in copied.items():
            assert flows[key] == value
            assert (key == own) is (own == key) is (value == 0)
            assert hash(key) == hash(own)
            assert copy.deepcopy(key) == key
            with pytest.raises(TypeError) as caught:
                key.port = 1  # type: ignore[attr-defined] # of the class above
            assert str(caught.value) == (
                "map 'm': its key is a copy, and read-only; change one of your own:"
                " new = copy.deepcopy(key)"
            )
        for key in list(flows):
            del flows[key]
        assert not flows


def test_strings_and_flags_as_keys_are_told_apart() -> None:
    with made(MapType.HASH, 8, 4, 10) as handle:
        raw = HashMap(handle, key=c.Bytes(8), value=c.U32)
        names = HashMap(handle, key=c.CString(8), value=c.U32)
        raw[b"ab\0\0\0\0\0\0"] = 1
        raw[b"ab\0\0x\0\0\0"] = 2
        raw[b"abcdefgh"] = 3
        assert dict(names.items()) == {
            b"ab": 1,
            b"ab\0\0x\0\0\0": 2,
            b"abcdefgh": 3,
        }
        assert [names[key] for key in names] == list(names.values())
    with made(MapType.HASH, 1, 4, 10) as handle:
        raw = HashMap(handle, key=c.Bytes(1), value=c.U32)
        flags = HashMap(handle, key=c.BOOL, value=c.U32)
        for n in range(3):
            raw[bytes([n])] = n
        assert dict(flags.items()) == {False: 0, True: 1, 2: 2}


def test_a_trie_and_a_map_without_batches_lose_no_key() -> None:
    with made(MapType.LPM_TRIE, 8, 4, 10, 1) as handle:
        routes = GenericMap(handle, key=c.Bytes(8), value=c.U32)
        routes.update(b"\x08\0\0\0\x0a\0\0\0", 1)
        routes.update(b"\x10\0\0\0\x0a\0\0\0", 2)
        assert len(dict(routes.items())) == 2


def test_what_was_made_here_is_equal_by_members() -> None:
    one, other = Key(port=1), Key.from_buffer_copy(b"\1\0\0\xff")
    assert one == other
    assert hash(one) == hash(other)
    assert one != Key(port=2)
