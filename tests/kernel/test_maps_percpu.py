"""One value of a per-CPU map, with the flags of Linux 7.0 and without."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_ALL_CPUS, BPF_F_CPU
from skelgen.runtime import syscalls
from skelgen.runtime.errors import MapFullError, NotSupportedError
from skelgen.runtime.kernel import features
from skelgen.runtime.maps.percpu_array import PerCpuArrayMap
from skelgen.runtime.maps.percpu_generic import PerCpuGenericMap
from skelgen.runtime.maps.percpu_hash import PerCpuHashMap
from skelgen.runtime.syscalls import sizes
from skelgen.runtime.values import codec as c
from tests.harness import map_walk, places, privilege
from tests.harness.maps import made

CPUS = sizes.possible_cpus()
LAST = CPUS - 1
CODECS = {"eight bytes": c.U64, "two bytes": c.U16, "five bytes": c.Bytes(5)}
TYPES = [MapType.PERCPU_ARRAY, MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH]


@pytest.fixture(params=[True, False] if privilege.kernel_at_least(7, 0) else [False])
def flags(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Return whether the flags are used."""
    if not request.param:
        features.PERCPU_FLAGS.assume(False)
    yield request.param
    features.PERCPU_FLAGS.forget()


def test_the_flags_are_in_linux_7_0() -> None:
    assert features.PERCPU_FLAGS.supported() is privilege.kernel_at_least(7, 0)


def numbers(codec: Any) -> tuple[Any, list[Any]]:
    """Return what zeros are to a codec, and a value for each CPU."""
    if isinstance(codec, c.IntCodec):
        return 0, list(range(1, CPUS + 1))
    return bytes(5), [bytes([65 + cpu]) * 5 for cpu in range(CPUS)]


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.name)
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_one_value_and_the_same_for_all(
    flags: bool,  # noqa: FBT001 (a fixture)
    type_: MapType,
    codec: Any,
) -> None:
    zero, values = numbers(codec)
    with made(type_, 4, codec.size, 64) as handle:
        counts: Any
        if type_ is MapType.PERCPU_ARRAY:
            counts = PerCpuArrayMap(handle, value=codec)
        else:
            counts = PerCpuHashMap(handle, key=c.U32, value=codec)
            assert counts.lookup_cpu(1, 0) is None
        counts[1] = values
        assert [counts.lookup_cpu(1, cpu) for cpu in range(CPUS)] == values
        counts.put_all_cpus(1, values[LAST])
        assert counts[1] == [values[LAST]] * CPUS
        counts.put_all_cpus(2, values[0])  # a new element of a hash map
        assert counts[2] == [values[0]] * CPUS
        if not flags:
            with pytest.raises(NotSupportedError, match=r"map 'm': .*7\.0 has it"):
                counts.put_cpu(1, 0, values[0])
            return
        counts.put_cpu(1, LAST, zero)
        assert counts[1] == [values[LAST]] * LAST + [zero]
        counts.put_cpu(0, LAST, values[0])
        assert counts[0] == [zero] * LAST + [values[0]]


def test_cpus_and_elements_that_are_not_there() -> None:
    with made(MapType.PERCPU_ARRAY, 4, 8, 3) as handle:
        counts = PerCpuArrayMap(handle, value=c.U64)
        counts.put_all_cpus(-1, 7)
        assert counts.lookup_cpu(-1, 0) == counts.lookup_cpu(2, LAST) == 7
        for cpu in (-1, CPUS, 1 << 20):
            text = f"map 'm': CPU {cpu} of {CPUS} possible ones"
            with pytest.raises(IndexError, match=text):
                counts.lookup_cpu(0, cpu)
            with pytest.raises(IndexError, match=text):
                counts.put_cpu(0, cpu, 1)
        for index in (3, -4, 1 << 40):
            with pytest.raises(IndexError, match=f"map 'm': index {index} of 3"):
                counts.lookup_cpu(index, 0)
            with pytest.raises(IndexError, match=f"map 'm': index {index} of 3"):
                counts.put_all_cpus(index, 0)
        with pytest.raises(TypeError, match="map 'm': cpu must be int, got str"):
            counts.lookup_cpu(0, "0")  # type: ignore[arg-type] # on purpose
        with pytest.raises(OverflowError, match=r"map 'm': value must be int in 0.."):
            counts.put_all_cpus(0, -1)
        with pytest.raises(OverflowError, match=r"map 'm': value must be int in 0.."):
            counts.put_cpu(0, 0, -1)


def test_a_map_without_room_says_so(flags: bool) -> None:  # noqa: FBT001 (a fixture)
    with made(MapType.PERCPU_HASH, 4, 8, 2) as handle:
        counts = PerCpuHashMap(handle, key=c.U32, value=c.U64)
        counts.put_all_cpus(1, 1)
        counts.put_all_cpus(2, 2)
        with pytest.raises(MapFullError, match="map 'm' is full: 2 entries"):
            counts.put_all_cpus(3, 3)
        if flags:
            with pytest.raises(MapFullError, match="map 'm' is full: 2 entries"):
                counts.put_cpu(3, 0, 3)


@pytest.mark.parametrize("given", [BPF_F_CPU, BPF_F_CPU | 1 << 32, BPF_F_ALL_CPUS])
def test_calls_for_all_values_refuse_the_flags(given: int) -> None:
    with (
        made(MapType.PERCPU_ARRAY, 4, 8, 3) as array,
        made(MapType.PERCPU_HASH, 4, 8, 3) as table,
    ):
        values = PerCpuArrayMap(array, value=c.U64)
        counts = PerCpuHashMap(table, key=c.U32, value=c.U64)
        one = [1] * CPUS
        for use in (
            lambda: values.lookup(0, flags=given),
            lambda: values.put(0, one, flags=given),
            lambda: counts.lookup(0, flags=given),
            lambda: counts.put(0, one, flags=given),
            lambda: counts.update({0: one, 1: one}, flags=given),
        ):
            with pytest.raises(ValueError, match=r"map 'm': flags say .* put_cpu\(\)"):
                use()
        assert list(values) == [[0] * CPUS] * 3
        assert len(counts) == 0


def test_values_of_a_cgroup(
    flags: bool,  # noqa: FBT001 (a fixture)
    cgroup: places.Cgroup,
) -> None:
    from contextlib import ExitStack

    with made(MapType.PERCPU_CGROUP_STORAGE, 8, 4, 0) as handle, ExitStack() as undo:
        map_walk.attach(undo, handle, str(cgroup.path))
        key = Path(cgroup.path).stat().st_ino
        counts = PerCpuGenericMap(handle, key=c.U64, value=c.U32)
        counts.put_all_cpus(key, 7)
        assert counts.lookup(key) == [7] * CPUS
        if flags:
            counts.put_cpu(key, LAST, 8)
            assert counts.lookup(key) == [7] * LAST + [8]
            assert counts.lookup_cpu(key, LAST) == 8
        assert counts.lookup_cpu(key, 0) == (8 if flags and not LAST else 7)
        assert counts.lookup_cpu(key + 1, 0) is None
        with pytest.raises(ValueError, match="flags say one value"):
            counts.lookup(key, flags=BPF_F_CPU)
        with pytest.raises(ValueError, match="flags say one value"):
            counts.update(key, [1] * CPUS, flags=BPF_F_ALL_CPUS)


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.name)
def test_the_kernel_copies_no_more_than_the_value_has(type_: MapType) -> None:
    """Nothing is rounded up, and values of a batch are one behind the other."""
    privilege.require("BPF_F_CPU", features.PERCPU_FLAGS.answer())
    with made(type_, 4, 5, 64) as handle:
        fd = handle.fd()
        keys = [number.to_bytes(4, sys.byteorder) for number in range(2)]
        room = bytearray(b"\xcc" * 16)
        for key, value in zip(keys, (b"first", b"other"), strict=True):
            syscalls.map_update(fd, key, value, BPF_F_ALL_CPUS)
            syscalls.map_update(fd, key, value.upper(), BPF_F_CPU | LAST << 32)
            assert syscalls.map_lookup(fd, key, room, BPF_F_CPU | LAST << 32)
            assert room == value.upper() + b"\xcc" * 11
        found = bytearray(8)
        for cpu in range(CPUS):
            values = bytearray(b"\xcc" * 10)
            done, _ = syscalls.map_lookup_batch(
                *(fd, None, bytearray(4), found, values, 2),
                elem_flags=BPF_F_CPU | cpu << 32,
            )
            assert done == 2
            wanted = {keys[0]: b"first", keys[1]: b"other"}
            if cpu == LAST:
                wanted = {key: value.upper() for key, value in wanted.items()}
            assert {
                bytes(found[4 * n : 4 * n + 4]): bytes(values[5 * n : 5 * n + 5])
                for n in range(2)
            } == wanted
        both = b"".join(keys)
        syscalls.map_update_batch(fd, both, b"abcdefghij", 2, elem_flags=BPF_F_ALL_CPUS)
        on_last = BPF_F_CPU | LAST << 32
        syscalls.map_update_batch(fd, both, b"ABCDEFGHIJ", 2, elem_flags=on_last)
        for key, first, last in (
            (keys[0], b"abcde", b"ABCDE"),
            (keys[1], b"fghij", b"FGHIJ"),
        ):
            whole = bytearray(8 * CPUS)
            assert syscalls.map_lookup(fd, key, whole)
            slots = [first] * LAST + [last]
            assert whole == b"".join(slot.ljust(8, b"\0") for slot in slots)
