"""Hash maps on the running kernel."""

import itertools
import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import (
    BpfError,
    BpfOSError,
    ClosedError,
    MapFullError,
    StateError,
)
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.hash import HashMap
from skelgen.runtime.maps.percpu_hash import PerCpuHashMap
from skelgen.runtime.syscalls import BPF_EXIST, BPF_NOEXIST
from skelgen.runtime.syscalls.sizes import possible_cpus
from skelgen.runtime.values import codec as c
from skelgen.runtime.values.array import array
from skelgen.runtime.values.member import member
from skelgen.runtime.values.struct import Struct, struct
from tests.harness.maps import made

pytestmark = pytest.mark.any_kernel
CPUS = possible_cpus()


class Key(Struct, size=4):
    port: int = member(c.U16, 0)
    proto: int = member(c.U8, 2)


class Value(Struct, size=16):
    packets: int = member(c.U64, 0)
    name: bytes = member(c.CString(8), 8)


@pytest.fixture
def handle() -> Iterator[MapHandle]:
    with made(MapType.HASH, 4, 8, 1000) as one:
        yield one


@pytest.fixture
def numbers(handle: MapHandle) -> HashMap[int, int]:
    return HashMap(handle, key=c.U32, value=c.U64)


def test_it_is_a_mapping(numbers: HashMap[int, int]) -> None:
    assert isinstance(numbers, MutableMapping)
    assert dict(numbers) == {}
    assert len(numbers) == 0
    numbers[1] = 10
    numbers[2] = 2**64 - 1
    assert numbers[1] == 10
    assert numbers.get(2) == 2**64 - 1
    assert numbers.get(3) is None
    assert numbers.get(3, -1) == -1
    assert 1 in numbers
    assert 3 not in numbers
    assert len(numbers) == 2
    assert sorted(numbers) == sorted(numbers.keys()) == [1, 2]
    assert sorted(numbers.values()) == [10, 2**64 - 1]
    assert dict(numbers.items()) == {1: 10, 2: 2**64 - 1}
    assert 10 in numbers.values()
    assert (1, 10) in numbers.items()
    assert numbers == {1: 10, 2: 2**64 - 1}
    assert numbers.setdefault(1, 5) == 10
    assert numbers.setdefault(9, 5) == 5
    assert numbers.pop(9) == 5
    assert numbers.pop(9, 6) == 6
    assert numbers.pop(9, default=7) == 7
    del numbers[1]
    assert numbers.popitem() == (2, 2**64 - 1)
    assert not numbers
    assert repr(numbers) == "<HashMap 'm': loaded>"


def test_what_is_not_there_is_a_key_error_that_names_the_map(
    numbers: HashMap[int, int],
) -> None:
    for use in (
        lambda: numbers[5],
        lambda: numbers.pop(5),
        lambda: numbers.__delitem__(5),
    ):
        with pytest.raises(KeyError) as caught:
            use()
        assert caught.value.args == (5,)
        assert caught.value.__notes__ == ["map 'm' has no such key"]
    assert numbers.discard(5) is False
    assert numbers.lookup_and_delete(5) is None


@pytest.mark.parametrize(
    ("use", "error", "text"),
    [
        ("m['x']", TypeError, "map 'm': key must be int in 0..4294967295 (u32), got "),
        ("m[-1]", OverflowError, "map 'm': key must be int in 0..4294967295 (u32), "),
        ("m.get(1 << 32)", OverflowError, "map 'm': key must be int in 0..4294967295"),
        ("m.get(None)", TypeError, "map 'm': key must be int"),
        ("1.5 in m", TypeError, "map 'm': key must be int"),
        ("m.lookup('x')", TypeError, "map 'm': key must be int"),
        ("m.discard('x')", TypeError, "map 'm': key must be int"),
        ("m.pop('x')", TypeError, "map 'm': key must be int"),
        ("m.__delitem__('x')", TypeError, "map 'm': key must be int"),
        ("m.__setitem__('x', 1)", TypeError, "map 'm': key must be int"),
        ("m.__setitem__(1, 'x')", TypeError, "map 'm': value must be int in 0..2**64"),
        ("m.__setitem__(1, -1)", OverflowError, "map 'm': value must be int in 0.."),
        ("m.put('x', 1)", TypeError, "map 'm': key must be int"),
        ("m.put(1, 'x')", TypeError, "map 'm': value must be int"),
        ("m.update({1: 1, 2: 'x'})", TypeError, "map 'm': value must be int"),
        ("m.update([(1, 1), ('x', 2)])", TypeError, "map 'm': key must be int"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_name_of_the_map(
    numbers: HashMap[int, int], use: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        eval(use, {"m": numbers})  # noqa: S307 (the test's own text)
    assert str(caught.value).startswith(text)
    assert len(numbers) == 0
    numbers[7] = 8
    assert numbers[7] == 8, "it works after a refusal"


def test_a_full_map_says_so_and_what_to_do() -> None:
    with made(MapType.HASH, 4, 8, 3) as handle:
        full = HashMap(handle, key=c.U32, value=c.U64)
        full.update({1: 1, 2: 2, 3: 3})
        writes: tuple[Callable[[], None], ...] = (
            lambda: full.__setitem__(4, 4),
            lambda: full.put(4, 4),
            lambda: full.update({4: 4}),
            lambda: full.update({4: 4, 5: 5}),
        )
        for write in writes:
            with pytest.raises(MapFullError) as caught:
                write()
            assert (
                str(caught.value)
                == "map 'm' is full: 3 entries; raise max_entries before load()"
            )
        full[3] = 4
        assert dict(full) == {1: 1, 2: 2, 3: 4}


def test_flags_of_an_update_are_obeyed(numbers: HashMap[int, int]) -> None:
    with pytest.raises(FileNotFoundError, match="map 'm': BPF_MAP_UPDATE_ELEM"):
        numbers.put(1, 1, flags=BPF_EXIST)
    numbers.put(1, 1, flags=BPF_NOEXIST)
    with pytest.raises(FileExistsError, match="map 'm': BPF_MAP_UPDATE_ELEM"):
        numbers.put(1, 2, flags=BPF_NOEXIST)
    with pytest.raises(FileExistsError):
        numbers.update({1: 2}, flags=BPF_NOEXIST)
    numbers.put(1, 3, flags=BPF_EXIST)
    assert numbers.lookup(1) == 3
    assert numbers.lookup(2) is None


def test_keys_and_values_can_be_structs_strings_and_arrays() -> None:
    with made(MapType.HASH, 4, 16, 10) as handle:
        flows = HashMap(handle, key=struct(Key), value=struct(Value))
        flows[Key(port=80, proto=6)] = Value(packets=3, name=b"web")
        value = flows[Key(port=80, proto=6)]
        with pytest.raises(TypeError, match="map 'm': its value is a copy"):
            value.packets = 99
        assert flows[Key(port=80, proto=6)] == Value(packets=3, name=b"web")
        assert dict(flows.items()) == {
            Key(port=80, proto=6): Value(packets=3, name=b"web")
        }
        with pytest.raises(TypeError, match="map 'm': key must be Key, got int"):
            flows[80]  # type: ignore[index] # on purpose
        with pytest.raises(TypeError, match="map 'm': value must be Value, got int"):
            flows[Key()] = 3  # type: ignore[assignment] # on purpose
        words = HashMap(handle, key=c.CString(4), value=array(c.U32, 4))
        words.clear()
        words[b"ab"] = [1, 2, 3, 4]
        assert words[b"ab"] == [1, 2, 3, 4]
        assert dict(words.items()) == {b"ab": [1, 2, 3, 4]}


def test_codecs_that_do_not_fit_the_map_are_refused(handle: MapHandle) -> None:
    for key, value, text in (
        (c.U64, c.U64, "map 'm': keys have 4 bytes, but their type here has 8"),
        (c.U32, c.U32, "map 'm': values have 8 bytes, but their type here has 4"),
    ):
        wrong = HashMap(handle, key=key, value=value)
        for use in (lambda m=wrong: m.get(1), lambda m=wrong: list(m)):
            with pytest.raises(BpfError, match=text):
                use()


def test_batches_have_everything_once(numbers: HashMap[int, int]) -> None:
    numbers.update((n, n * n) for n in range(1000))
    assert len(numbers) == 1000
    assert dict(numbers.items()) == {n: n * n for n in range(1000)}
    assert sorted(numbers.values()) == sorted(n * n for n in range(1000))
    numbers.clear()
    assert len(numbers) == 0
    numbers.update({})
    assert len(numbers) == 0


def test_big_values_take_several_batches() -> None:
    with made(MapType.HASH, 4, 20_000, 40) as handle:
        big = HashMap(handle, key=c.U32, value=c.Bytes(20_000))
        for n in range(40):
            big[n] = bytes([n]) * 20_000
        assert {key: value[0] for key, value in big.items()} == {
            n: n for n in range(40)
        }


def test_deleting_while_iterating_is_fine(numbers: HashMap[int, int]) -> None:
    numbers.update((n, n) for n in range(1000))
    seen = []
    for key in numbers:
        seen.append(key)
        del numbers[key]
    assert sorted(seen) == list(range(1000))
    assert len(numbers) == 0


@pytest.mark.parametrize("batches", [True, False])
def test_elements_that_others_delete_do_not_send_it_back(
    numbers: HashMap[int, int],
    monkeypatch: pytest.MonkeyPatch,
    batches: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    if not batches:
        monkeypatch.setattr(syscalls, "map_lookup_batch", no_batch)
    stable = set(range(500))
    numbers.update((n, n) for n in range(500))
    stop = threading.Event()

    def churn() -> None:
        for key in itertools.cycle(range(500, 900)):
            numbers[key] = key
            numbers.discard(key - 3 if key > 503 else key)
            if stop.is_set():
                return

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        for _ in range(20):
            keys = list(numbers)
            assert len(keys) == len(set(keys))
            if batches:
                assert stable <= set(keys)
    finally:
        stop.set()
        worker.join()


def no_batch(*_args: object, **_options: object) -> None:
    raise BpfOSError(524, command="BPF_MAP_LOOKUP_BATCH")


def test_everything_works_on_kernels_without_batches(
    numbers: HashMap[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "map_lookup_batch", no_batch)
    monkeypatch.setattr(syscalls, "map_update_batch", no_batch)
    numbers.update((n, n + 1) for n in range(50))
    assert dict(numbers) == {n: n + 1 for n in range(50)}
    assert len(numbers) == 50
    numbers.clear()
    assert list(numbers.items()) == []


def test_pop_works_on_kernels_before_5_14(
    numbers: HashMap[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(_access: object, _key: object) -> None:
        raise BpfOSError(524, command="BPF_MAP_LOOKUP_AND_DELETE_ELEM")

    monkeypatch.setattr(syscalls.MapAccess, "take", take)
    numbers[1] = 2
    assert numbers.pop(1) == 2
    assert numbers.pop(1, None) is None
    with pytest.raises(KeyError):
        numbers.pop(1)


def test_lru_maps_make_room() -> None:
    with made(MapType.LRU_HASH, 4, 8, 64) as handle:
        recent = HashMap(handle, key=c.U32, value=c.U64)
        for n in range(1000):
            recent[n] = n
        assert 0 < len(recent) <= 64
        assert all(key == value for key, value in recent.items())


@pytest.mark.parametrize("type_", [MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH])
@pytest.mark.parametrize(
    ("codec", "value"), [(c.U64, 7), (c.U8, 7), (c.CString(12), b"abc")]
)
def test_per_cpu_values_are_lists(
    type_: MapType, codec: c.Codec[Any], value: Any
) -> None:
    with made(type_, 4, codec.size, 1000) as handle:
        counts: PerCpuHashMap[int, Any] = PerCpuHashMap(handle, key=c.U32, value=codec)
        zero = codec.unpack(bytes(codec.size))
        values = [value, *[zero] * (CPUS - 1)]
        counts[1] = values
        assert counts[1] == values
        assert counts.get(2) is None
        counts.update({2: values, 3: values[::-1]})
        assert dict(counts.items()) == {1: values, 2: values, 3: values[::-1]}
        assert counts.lookup(3) == values[::-1]
        assert counts.pop(1) == values
        with pytest.raises(
            ValueError, match=f"map 'm': value must be a list of {CPUS}"
        ):
            counts[1] = [value] * (CPUS + 1)
        with pytest.raises(TypeError, match="map 'm': value must be a list"):
            counts[1] = 5  # type: ignore[assignment] # on purpose
        bad = "x" if codec.size != 12 else 5
        with pytest.raises(TypeError, match=rf"map 'm': value\[{CPUS - 1}\] must be"):
            counts[1] = [*values[:-1], bad]


def test_threads_do_not_disturb_each_other(numbers: HashMap[int, int]) -> None:
    failures: list[object] = []

    def work(base: int) -> None:
        for n in range(2000):
            key = base + n % 50
            numbers[key] = key << 32 | n
            value = numbers.get(key)
            if value != key << 32 | n:
                failures.append((key, value))

    threads = [threading.Thread(target=work, args=(i * 100,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def uses(numbers: HashMap[int, int]) -> list[Callable[[], object]]:
    return [
        lambda: numbers[1],
        lambda: numbers.get(1),
        lambda: numbers.__setitem__(1, 1),
        lambda: numbers.__delitem__(1),
        lambda: numbers.put(1, 1),
        lambda: numbers.lookup(1),
        lambda: numbers.pop(1),
        lambda: numbers.update({1: 1}),
        lambda: numbers.update({1: 1, 2: 2}),
        lambda: list(numbers),
        lambda: list(numbers.items()),
        lambda: len(numbers),
        numbers.clear,
        numbers.fd,
        numbers.info,
        numbers.freeze,
        lambda: numbers.pin("/sys/fs/bpf/x"),
    ]


def test_every_use_before_load_and_after_destroy_is_refused(handle: MapHandle) -> None:
    early = HashMap(MapHandle(handle.spec), key=c.U32, value=c.U64)
    for use in uses(early):
        with pytest.raises(StateError, match=r"map 'm': made by load\(\)"):
            use()
    for fresh in (False, True):
        late = HashMap(handle, key=c.U32, value=c.U64)
        if not fresh:
            late[1] = 1
        handle.close()
        for use in uses(late):
            with pytest.raises(ClosedError, match=r"map 'm': .*destroyed"):
                use()


def test_an_fd_that_was_closed_is_never_used_again() -> None:
    with made(MapType.HASH, 4, 8, 10) as first:
        old = HashMap(first, key=c.U32, value=c.U64)
        old[1] = 1
        number = first.fd()
        first.close()
        with made(MapType.HASH, 4, 8, 10) as second:
            assert second.fd() == number
            with pytest.raises(ClosedError):
                old[1] = 2
            assert len(HashMap(second, key=c.U32, value=c.U64)) == 0
