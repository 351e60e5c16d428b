"""Arrays, program arrays and all other map types on the running kernel."""

import socket
import tempfile
import threading
from collections.abc import Sequence

import pytest

from skelgen.model.enums import MapType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, MapFullError, StateError
from skelgen.runtime.maps.array import ArrayMap, ProgArray
from skelgen.runtime.maps.families import family
from skelgen.runtime.maps.generic import GenericMap
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.hash import HashMap
from skelgen.runtime.maps.percpu_array import PerCpuArrayMap
from skelgen.runtime.maps.percpu_hash import PerCpuHashMap
from skelgen.runtime.maps.ringbuf import RingBuf
from skelgen.runtime.syscalls import BPF_EXIST, sizes
from skelgen.runtime.values import codec as c
from tests.harness.maps import made
from tests.harness.programs import RETURN_0

pytestmark = pytest.mark.any_kernel
CPUS = sizes.possible_cpus()


# -- arrays --------------------------------------------------------------------


def test_an_array_is_a_sequence() -> None:
    with made(MapType.ARRAY, 4, 8, 5) as handle:
        array = ArrayMap(handle, value=c.U64)
        assert isinstance(array, Sequence)
        assert len(array) == 5
        assert list(array) == [0] * 5
        array[0] = 1
        array[4] = 2**64 - 1
        array[-2] = 7
        assert array[0] == 1
        assert array[-1] == 2**64 - 1
        assert array[1:] == [0, 0, 7, 2**64 - 1]
        assert list(array) == [1, 0, 0, 7, 2**64 - 1]
        assert list(reversed(array)) == [2**64 - 1, 7, 0, 0, 1]
        assert 7 in array
        assert 8 not in array
        assert array.index(7) == 3
        assert array.count(0) == 2
        array.put(1, 5)
        assert array.lookup(1) == 5
        for index in (5, -6, 1 << 40):
            for use in (
                lambda i=index: array[i],
                lambda i=index: array.__setitem__(i, 1),
                lambda i=index: array.put(i, 1),
                lambda i=index: array.lookup(i),
            ):
                with pytest.raises(IndexError, match=rf"map 'm': index {index} of 5"):
                    use()
        with pytest.raises(TypeError, match="map 'm': index must be int, got str"):
            array["x"]  # type: ignore[call-overload] # on purpose
        with pytest.raises(TypeError, match="map 'm': value must be int"):
            array[0] = "x"  # type: ignore[assignment] # on purpose
        with pytest.raises(OverflowError, match=r"map 'm': value must be int in 0.."):
            array[0] = -1
        assert array[0] == 1


def test_a_frozen_array_can_be_read() -> None:
    with made(MapType.ARRAY, 4, 8, 2) as handle:
        array = ArrayMap(handle, value=c.U64)
        array[0] = 3
        array.freeze()
        with pytest.raises(PermissionError, match="map 'm': BPF_MAP_UPDATE_ELEM"):
            array[0] = 4
        assert array[0] == 3


@pytest.mark.parametrize("codec", [c.U64, c.U16], ids=repr)
def test_per_cpu_arrays_have_a_value_for_each_cpu(codec: c.IntCodec) -> None:
    with made(MapType.PERCPU_ARRAY, 4, codec.size, 3) as handle:
        counts = PerCpuArrayMap(handle, value=codec)
        values = list(range(1, CPUS + 1))
        assert counts[0] == [0] * CPUS
        counts[2] = values
        assert counts[2] == values
        assert sum(counts[2]) == CPUS * (CPUS + 1) // 2
        assert list(counts) == [[0] * CPUS, [0] * CPUS, values]
        with pytest.raises(ValueError, match=f"must be a list of {CPUS} values"):
            counts[0] = [1] * (CPUS + 1)


def test_cpus_are_counted_in_ranges_and_lists() -> None:
    assert sizes.count_cpus("0\n") == 1
    assert sizes.count_cpus("0-3\n") == 4
    assert sizes.count_cpus("0-3,8,10-11") == 7


def test_a_number_of_cpus_that_cannot_be_told_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sizes, "_POSSIBLE", "/nonexistent")
    sizes._possible_cpus.forget()
    try:
        with pytest.raises(BpfError, match="number of possible CPUs: /nonexistent"):
            sizes.possible_cpus()
    finally:
        sizes._possible_cpus.forget()


# -- program arrays ------------------------------------------------------------


def load(type_: ProgType) -> syscalls.Fd:
    fd = syscalls.prog_load(type=type_, insns=RETURN_0, license="GPL", name="p")
    return syscalls.Fd(fd)


def test_program_arrays_take_programs_and_give_ids() -> None:
    with (
        made(MapType.PROG_ARRAY, 4, 4, 3) as handle,
        load(ProgType.XDP) as xdp,
        load(ProgType.SOCKET_FILTER) as other,
    ):
        jumps = ProgArray(handle)
        number = syscalls.prog_info(xdp.fileno()).id
        assert len(jumps) == 3
        assert jumps.get(0) is None
        jumps[0] = xdp
        jumps[2] = xdp.fileno()
        assert jumps.get(0) == number
        assert list(jumps.items()) == [(0, number), (2, number)]
        del jumps[0]
        assert list(jumps.items()) == [(2, number)]
        with pytest.raises(KeyError):
            del jumps[0]
        with pytest.raises(IndexError, match="map 'm': index 3 of 3 entries"):
            jumps[3] = xdp
        with pytest.raises(BpfOSError) as caught:
            jumps[1] = other
        assert "the programs of a map have one type" in caught.value.__notes__[-1]
        with pytest.raises(TypeError, match="must be a file descriptor or an object"):
            jumps[1] = "xdp"  # type: ignore[assignment] # on purpose
        with pytest.raises(TypeError, match="map 'm': key must be int"):
            jumps["x"] = xdp  # type: ignore[index] # on purpose
        with pytest.raises(OverflowError, match="map 'm': key must be int"):
            jumps.get(-1)


# -- everything else -----------------------------------------------------------


def test_a_trie_finds_the_longest_prefix() -> None:
    with made(MapType.LPM_TRIE, 8, 8, 10, 1) as handle:
        routes = GenericMap(handle, key=c.Bytes(8), value=c.U64)

        def key(address: str, bits: int) -> bytes:
            return c.U32.pack(bits) + socket.inet_aton(address)

        routes.update(key("10.0.0.0", 8), 1)
        routes.update(key("10.1.0.0", 16), 2)
        assert routes.lookup(key("10.1.2.3", 32)) == 2
        assert routes.lookup(key("10.2.2.3", 32)) == 1
        assert routes.lookup(key("11.0.0.1", 32)) is None
        assert key("10.1.0.0", 16) in routes
        assert set(routes.keys()) == {key("10.0.0.0", 8), key("10.1.0.0", 16)}
        assert dict(routes.items()) == {
            key("10.0.0.0", 8): 1,
            key("10.1.0.0", 16): 2,
        }
        assert routes.delete(key("10.1.0.0", 16)) is True
        assert routes.delete(key("10.1.0.0", 16)) is False
        assert routes.lookup(key("10.1.2.3", 32)) == 1


def test_a_full_trie_says_so() -> None:
    with made(MapType.LPM_TRIE, 8, 8, 1, 1) as handle:
        routes = GenericMap(handle, key=c.Bytes(8), value=c.U64)
        routes.update(c.U32.pack(8) + b"\x0a\0\0\0", 1)
        with pytest.raises(MapFullError, match="map 'm' is full: 1 entries; raise"):
            routes.update(c.U32.pack(8) + b"\x0b\0\0\0", 1)


@pytest.mark.parametrize(
    ("type_", "order"), [(MapType.QUEUE, [1, 2, 3]), (MapType.STACK, [3, 2, 1])]
)
def test_queues_and_stacks_give_back_in_their_order(
    type_: MapType, order: list[int]
) -> None:
    with made(type_, 0, 4, 3) as handle:
        queue = GenericMap(handle, key=c.Bytes(0), value=c.U32)
        assert queue.pop() is None
        assert queue.peek() is None
        for n in (1, 2, 3):
            queue.push(n)
        with pytest.raises(MapFullError, match="map 'm' is full: 3 entries"):
            queue.push(4)
        assert queue.peek() == order[0]
        assert [queue.pop() for _ in range(4)] == [*order, None]
        for n in range(5):
            queue.push(n, flags=BPF_EXIST)
        assert queue.peek() == (2 if type_ is MapType.QUEUE else 4)
        with pytest.raises(OverflowError, match="map 'm': value must be int"):
            queue.push(-1)
        wrong = GenericMap(handle, key=c.Bytes(0), value=c.U8)
        for use in (lambda: wrong.push(1), wrong.pop, wrong.peek, lambda: 1 in wrong):
            with pytest.raises(BpfError, match="values have 4 bytes, but their type"):
                use()


def test_bloom_filters_know_what_was_pushed() -> None:
    with made(MapType.BLOOM_FILTER, 0, 4, 100) as handle:
        bloom = GenericMap(handle, key=c.Bytes(0), value=c.U32)
        for n in range(20):
            bloom.push(n)
        assert all(n in bloom for n in range(20))
        assert sum(n in bloom for n in range(1000, 2000)) < 200


def test_maps_of_maps_take_maps_and_give_ids() -> None:
    with (
        made(MapType.ARRAY, 4, 8, 2) as inner,
        made(MapType.HASH_OF_MAPS, 4, 4, 5, inner_map_fd=inner.fd()) as outer,
    ):
        maps = GenericMap(outer, key=c.U32, value=c.U32)
        maps.update(1, ArrayMap(inner, value=c.U64))
        maps.update(2, inner)
        maps.update(3, inner.fd())
        number = inner.info().id
        assert [maps.lookup(n) for n in (1, 2, 3, 4)] == [number] * 3 + [None]
        assert sorted(maps.keys()) == [1, 2, 3]
        with pytest.raises(BpfOSError, match="map 'm': BPF_MAP_UPDATE_ELEM"):
            maps.update(1, 999)


def test_storage_of_sockets_keeps_a_value_for_a_socket() -> None:
    # BPF_F_NO_PREALLOC, and BTF that says what the value is: an int
    btf = syscalls.btf_load(
        bytes.fromhex(
            "9feb01001800000000000000100000001000000005000000"
            "0100000000000001040000002000000100696e7400"
        )
    )
    with (
        made(
            MapType.SK_STORAGE,
            4,
            4,
            0,
            1,
            btf_fd=btf,
            btf_key_type_id=1,
            btf_value_type_id=1,
        ) as handle,
        socket.socket() as one,
        syscalls.Fd(btf),
    ):
        storage = GenericMap(handle, key=c.I32, value=c.I32)
        assert storage.lookup(one.fileno()) is None
        storage.update(one.fileno(), -5)
        assert storage.lookup(one.fileno()) == -5
        assert storage.delete(one.fileno()) is True
        with (
            tempfile.TemporaryFile() as no_socket,
            pytest.raises(BpfOSError, match="map 'm': BPF_MAP_LOOKUP_ELEM"),
        ):
            storage.lookup(no_socket.fileno())


def test_a_map_takes_sockets_and_gives_a_cookie() -> None:
    with (
        made(MapType.SOCKMAP, 4, 8, 5) as handle,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
    ):
        one.bind(("127.0.0.1", 0))
        sockets = GenericMap(handle, key=c.U32, value=c.U64)
        sockets.update(1, one)
        cookie = sockets.lookup(1)
        assert cookie is not None
        assert cookie > 0
        assert sockets.delete(1) is True
        with pytest.raises(TypeError, match=r"map 'm': value must be int .* got str"):
            sockets.update(1, "x")  # type: ignore[arg-type] # on purpose


# -- families and handles ------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "cls"),
    [
        (MapType.HASH, HashMap),
        (MapType.LRU_HASH, HashMap),
        (MapType.PERCPU_HASH, PerCpuHashMap),
        (MapType.ARRAY, ArrayMap),
        (MapType.PERCPU_ARRAY, PerCpuArrayMap),
        (MapType.PROG_ARRAY, ProgArray),
        (MapType.LPM_TRIE, GenericMap),
        (77, GenericMap),
    ],
)
def test_each_type_gets_the_class_of_its_family(type_: int, cls: type) -> None:
    with made(MapType.HASH, 4, 8, 5) as like:
        handle = MapHandle(like.spec._replace(type=type_))
    assert type(family(handle)) is cls


def test_a_family_without_types_has_bytes() -> None:
    with made(MapType.HASH, 4, 8, 5) as handle:
        raw = family(handle)
        assert isinstance(raw, HashMap)
        raw[b"abcd"] = b"12345678"
        assert dict(raw) == {b"abcd": b"12345678"}
        with pytest.raises(ValueError, match="map 'm': key must be exactly 4 bytes"):
            raw[b"abc"]
    with made(MapType.RINGBUF, 0, 0, 4096) as handle:
        assert type(family(handle)) is RingBuf


def test_the_definition_is_settable_until_load() -> None:
    with made(MapType.HASH, 4, 8, 5) as handle:
        early = HashMap(MapHandle(handle.spec), key=c.U32, value=c.U64)
        early.max_entries = 100
        early.flags = 1
        early.numa_node = 0
        early.pin_path = "/sys/fs/bpf/x"
        early.autocreate = False
        assert early.handle.max_entries == early.max_entries == 100
        assert early.handle.definition["numa_node"] == 0
        for value, error in ((-1, OverflowError), (1 << 32, OverflowError)):
            with pytest.raises(error, match=f"map 'm': max_entries must be .*{value}"):
                early.max_entries = value
        with pytest.raises(TypeError, match="map 'm': max_entries must be int"):
            early.max_entries = "many"  # type: ignore[assignment] # on purpose
        early.handle.skip()
        with pytest.raises(StateError, match="map 'm': not made, its autocreate is of"):
            early.fd()
        late = HashMap(handle, key=c.U32, value=c.U64)
        with pytest.raises(StateError, match="map 'm': max_entries cannot change afte"):
            late.max_entries = 6
        assert late.max_entries == 5


def test_info_is_what_the_kernel_says() -> None:
    with made(MapType.HASH, 4, 8, 5) as handle:
        info = HashMap(handle, key=c.U32, value=c.U64).info()
        assert (info.name, info.type, info.key_size, info.value_size) == (
            "m",
            MapType.HASH,
            4,
            8,
        )
        assert info.max_entries == 5
        assert info.id > 0


def test_closing_while_others_work_raises_nothing_but_state_error() -> None:
    for _ in range(20):
        with made(MapType.HASH, 4, 8, 100) as handle:
            numbers = HashMap(handle, key=c.U32, value=c.U64)
            errors: list[Exception] = []

            def work(
                numbers: HashMap[int, int] = numbers, errors: list[Exception] = errors
            ) -> None:
                try:
                    for n in range(100_000):
                        numbers[n % 100] = n
                except StateError:
                    return
                except Exception as error:  # noqa: BLE001 (the test is about it)
                    errors.append(error)

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            handle.close()
            for thread in threads:
                thread.join()
            assert errors == []
