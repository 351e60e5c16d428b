"""Map elements through prepared buffers, with a kernel that the test plays."""

import errno
import struct
import threading

import pytest

from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_ALL_CPUS, BPF_F_CPU
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfFileExistsError, BpfOSError, ClosedError
from skelgen.runtime.syscalls.sizes import possible_cpus
from tests.harness.fake_kernel import Call, FakeKernel, map_info


class FakeMap:
    """A hash map of 4-byte keys and 8-byte values, behind a fake kernel."""

    def __init__(self, kernel: FakeKernel) -> None:
        self.elements: dict[bytes, bytes] = {}
        kernel.always("MAP_LOOKUP_ELEM", self.lookup)
        kernel.always("MAP_UPDATE_ELEM", self.update)
        kernel.always("MAP_DELETE_ELEM", self.delete)
        kernel.always("MAP_GET_NEXT_KEY", self.next_key)
        kernel.always("MAP_LOOKUP_AND_DELETE_ELEM", self.take)

    def lookup(self, call: Call) -> int:
        assert call.attr.map_fd == 5
        value = self.elements.get(call.memory("key", 4))
        if value is None:
            return -errno.ENOENT
        call.fill("value", value)
        return 0

    def update(self, call: Call) -> int:
        key = call.memory("key", 4)
        if call.attr.flags == syscalls.BPF_NOEXIST and key in self.elements:
            return -errno.EEXIST
        self.elements[key] = call.memory("value", 8)
        return 0

    def delete(self, call: Call) -> int:
        assert len(call.attr) == 16, "the kernel refuses what comes after the key"
        found = self.elements.pop(call.memory("key", 4), None)
        return -errno.ENOENT if found is None else 0

    def take(self, call: Call) -> int:
        result = self.lookup(call)
        self.elements.pop(call.memory("key", 4), None)
        return result

    def next_key(self, call: Call) -> int:
        keys = sorted(self.elements)
        key = call.memory("key", 4) if call.attr.key else None
        later = [k for k in keys if key not in self.elements or k > (key or b"")]
        if not later:
            return -errno.ENOENT
        call.fill("next_key", later[0])
        return 0


@pytest.fixture
def access(kernel: FakeKernel) -> syscalls.MapAccess:
    FakeMap(kernel)
    made = syscalls.MapAccess(5, 4, 8, what="map 'm'")
    kernel.calls.clear()  # it asked what the kernel copies
    return made


def test_elements_come_and_go(access: syscalls.MapAccess) -> None:
    assert access.lookup(b"key1") is None
    access.update(b"key1", b"value 01")
    access.update(b"key2", b"value 02")
    assert access.lookup(b"key1") == b"value 01"
    assert access.get(b"key2", lambda value: struct.unpack("=Q", value)[0]) == (
        struct.unpack("=Q", b"value 02")[0]
    )
    assert access.next_key(None) == b"key1"
    assert access.next_key(b"key1") == b"key2"
    assert access.next_key(b"key2") is None
    assert access.delete(b"key1") is True
    assert access.delete(b"key1") is False
    assert access.take(b"key2") == b"value 02"
    assert access.take(b"key2") is None


def test_flags_count_for_one_call(
    access: syscalls.MapAccess, kernel: FakeKernel
) -> None:
    access.update(b"key1", b"value 01", syscalls.BPF_NOEXIST)
    with pytest.raises(BpfFileExistsError, match="map 'm': BPF_MAP_UPDATE_ELEM"):
        access.update(b"key1", b"value 02", syscalls.BPF_NOEXIST)
    access.update(b"key1", b"value 03")
    access.lookup(b"key1", syscalls.BPF_F_LOCK)
    access.lookup(b"key1")
    flags = [call.attr.flags for call in kernel.calls]
    assert flags == [1, 1, 0, 4, 0]


def test_a_value_of_one_cpu_is_as_long_as_it_is(kernel: FakeKernel) -> None:
    kernel.always("OBJ_GET_INFO_BY_FD", map_info(MapType.PERCPU_HASH, 4, 5))
    size = 8 * possible_cpus()
    access = syscalls.MapAccess(5, 4, size, what="map 'm'")
    on_last = BPF_F_CPU | possible_cpus() - 1 << 32
    access.update(b"key1", b"x" * size)
    access.update(b"key1", b"abcde", on_last)
    access.update(b"key1", b"12345", BPF_F_ALL_CPUS)
    written = [call.memory("value", 5) for call in kernel.named("MAP_UPDATE_ELEM")]
    assert written[-1] == b"12345"  # one buffer serves all three calls
    assert access.lookup(b"key1", on_last) == b"12345"
    assert access.lookup(b"key1") == b"12345" + b"x" * (size - 5)
    flags = [call.attr.flags for call in kernel.calls if "ELEM" in call.name]
    assert flags == [0, on_last, BPF_F_ALL_CPUS, on_last, 0]
    for value, given in ((b"x" * size, on_last), (b"abcde", 0), (b"abcd", on_last)):
        with pytest.raises(BufferError):
            access.update(b"key1", value, given)


@pytest.mark.parametrize(
    ("type_", "value_size", "text"),
    [
        (MapType.HASH, 16, "map 'm': a value has 8 bytes, and the kernel copies 16"),
        (
            MapType.PERCPU_CGROUP_STORAGE,
            1,
            "map 'm': a value has 7 bytes, and the kernel copies",
        ),
    ],
)
def test_buffers_are_as_large_as_what_the_kernel_copies(
    kernel: FakeKernel, type_: MapType, value_size: int, text: str
) -> None:
    kernel.always("OBJ_GET_INFO_BY_FD", map_info(type_, 4, value_size))
    with pytest.raises(ValueError, match=text):
        syscalls.MapAccess(5, 4, 8 if value_size > 8 else 7, what="map 'm'")
    with pytest.raises(ValueError, match="map 'm': a key has 3 bytes, and the kern"):
        syscalls.MapAccess(5, 3, 4096, what="map 'm'")


def test_an_errno_is_raised_and_the_buffers_stay_in_use(
    access: syscalls.MapAccess, kernel: FakeKernel
) -> None:
    kernel.then("MAP_LOOKUP_ELEM", -errno.EBADF)
    with pytest.raises(BpfOSError, match="EBADF"):
        access.lookup(b"key1")
    addresses = set()
    for _ in range(3):
        access.lookup(b"key1")
        addresses.add(kernel.calls[-1].attr.key)
    assert len(addresses) == 1


@pytest.mark.parametrize("key", [b"", b"abc", b"abcde"])
def test_a_key_of_another_size_never_reaches_the_kernel(
    access: syscalls.MapAccess, kernel: FakeKernel, key: bytes
) -> None:
    with pytest.raises(BufferError):
        access.lookup(key)
    with pytest.raises(BufferError):
        access.update(b"key1", key + bytes(9))
    assert not kernel.calls


def test_after_close_nothing_reaches_the_kernel(
    access: syscalls.MapAccess, kernel: FakeKernel
) -> None:
    access.close()
    for action in (
        lambda: access.lookup(b"key1"),
        lambda: access.update(b"key1", b"value 01"),
        lambda: access.delete(b"key1"),
        lambda: access.next_key(b"key1"),
        lambda: access.next_key(None),
        lambda: access.take(b"key1"),
    ):
        with pytest.raises(ClosedError, match="map 'm': destroyed already"):
            action()
    assert not kernel.calls


def test_calls_at_the_same_time_have_their_own_buffers(kernel: FakeKernel) -> None:
    inside = threading.Barrier(4)
    addresses: list[int] = []

    def lookup(call: Call) -> int:
        inside.wait(timeout=10)
        addresses.append(call.attr.key)
        call.fill("value", call.memory("key", 4) * 2)
        return 0

    kernel.always("MAP_LOOKUP_ELEM", lookup)
    access = syscalls.MapAccess(5, 4, 8)
    found: dict[bytes, bytes | None] = {}

    def run(key: bytes) -> None:
        found[key] = access.lookup(key)

    threads = [
        threading.Thread(target=run, args=(f"key{i}".encode(),)) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"key{i}".encode(): f"key{i}key{i}".encode() for i in range(4)}
    assert len(set(addresses)) == 4
