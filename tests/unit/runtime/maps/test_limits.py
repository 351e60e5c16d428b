"""Why a map cannot be made, in a sentence; the real kernel's part is in tests/kernel."""

import errno
import mmap

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime.maps import create
from skelgen.runtime.maps.limits import definition, reason
from skelgen.runtime.maps.request import MapRequest
from tests.harness.fake_kernel import FakeKernel

T = MapType


def wanted(
    kind: int, key: int, value: int, entries: int, flags: int = 0, **more: int
) -> MapRequest:
    request = MapRequest(kind, key, value, entries, flags, "m", "m")
    return request._replace(**more)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            wanted(T.HASH, 4, 4, 0),
            "max_entries is 0; set maps.m.max_entries before load() (entries)",
        ),
        (
            wanted(T.RINGBUF, 0, 0, 0),
            "max_entries is 0; set maps.m.max_entries before load() (bytes)",
        ),
        (
            wanted(T.RINGBUF, 0, 0, 5000),
            (
                "max_entries is 5000, and RINGBUF wants bytes: a power of two of pages of"
                f" {mmap.PAGESIZE}"
            ),
        ),
        (wanted(T.RINGBUF, 4, 0, 4096), "key_size is 4, and RINGBUF wants 0"),
        (wanted(T.ARRAY, 8, 4, 1), "key_size is 8, and ARRAY wants 4"),
        (wanted(T.DEVMAP, 4, 16, 1), "value_size is 16, and DEVMAP wants 4 or 8"),
        (wanted(T.HASH, 0, 4, 1), "key_size is 0, and HASH wants 1 or more"),
        (wanted(T.LPM_TRIE, 4, 4, 1, 1), "key_size is 4, and LPM_TRIE wants 5..260"),
        (wanted(T.LPM_TRIE, 8, 4, 1), "LPM_TRIE wants map_flags BPF_F_NO_PREALLOC"),
        (
            wanted(T.STRUCT_OPS, 4, 8, 1, 1 << 13),
            (
                "this kernel may not have links of struct_ops, in Linux since 6.4;"
                ' SEC(".struct_ops") is without one'
            ),
        ),
        (wanted(T.ARENA, 0, 0, 1), "ARENA wants map_flags BPF_F_MMAPABLE"),
        (
            wanted(T.SK_STORAGE, 4, 4, 3, 1),
            "max_entries is 3, and SK_STORAGE wants 0",
        ),
        (
            wanted(T.SK_STORAGE, 4, 4, 0, 1),
            (
                "SK_STORAGE wants BTF types of key and value; declare both with __type()"
                " and compile with -g"
            ),
        ),
        (
            wanted(T.HASH_OF_MAPS, 4, 4, 4),
            (
                "HASH_OF_MAPS wants an inner map; declare one or set maps.m.inner before"
                " load()"
            ),
        ),
        (
            wanted(T.STACK_TRACE, 4, 12, 4),
            (
                "value_size is 12, and STACK_TRACE wants 8 bytes a frame and no more frames"
                " than sysctl kernel.perf_event_max_stack"
            ),
        ),
        (
            wanted(T.BLOOM_FILTER, 0, 4, 4, map_extra=16),
            "map_extra is 16, and a bloom filter has 15 hashes at most",
        ),
        (wanted(T.HASH, 4, 4, 4, map_extra=3), "map_extra is 0x3, and HASH wants 0"),
        (
            wanted(T.HASH, 4, 4, 4, numa_node=7),
            "this machine may have no NUMA node 7 online",
        ),
        (
            wanted(T.HASH, 4, 4, 4, ifindex=7),
            "interface 7 may not be there, or offload no maps",
        ),
        (
            wanted(T.CGRP_STORAGE, 4, 4, 0, 1, key_type_id=1),
            (
                "this kernel may not have map type CGRP_STORAGE (Linux 6.2 has it), or not"
                " these map_flags"
            ),
        ),
        (
            wanted(99, 4, 4, 4),
            "this kernel may not have map type 99, or not these map_flags",
        ),
    ],
)
def test_an_invalid_definition_is_told_why(request_: MapRequest, text: str) -> None:
    assert reason(request_, errno.EINVAL) == text


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            wanted(T.PERCPU_HASH, 4, 40000, 1),
            "value_size is 40000, and a CPU's value has at most 32768 bytes",
        ),
        (
            wanted(T.HASH, 4, 4 << 20, 1),
            (
                "key_size and value_size are 4194308 bytes together, and the kernel"
                " allocates 4 MiB in one piece at most"
            ),
        ),
        (
            wanted(T.CPUMAP, 4, 8, 1 << 20),
            "max_entries is 1048576, more than the kernel's NR_CPUS",
        ),
        (
            wanted(T.HASH, 4, 4, 1 << 31),
            (
                "2147483648 entries of 8 bytes are more than the kernel takes; lower"
                " max_entries or value_size"
            ),
        ),
        (
            wanted(T.ARENA, 0, 0, 1 << 30, 0x400),
            (
                f"max_entries is {1 << 30}, and an arena has at most"
                f" {(4 << 30) // mmap.PAGESIZE} pages"
            ),
        ),
    ],
)
def test_what_is_too_big_is_told_why(request_: MapRequest, text: str) -> None:
    assert reason(request_, errno.E2BIG) == text


def test_other_errors_are_told_where_the_cause_is_known() -> None:
    big = wanted(T.ARRAY, 4, 1 << 20, 1 << 20)
    assert reason(big, errno.ENOMEM) == (
        "no memory for 1048576 entries of 1048580 bytes; lower max_entries"
    )
    assert reason(big, errno.EPERM) is None
    lru = wanted(T.LRU_HASH, 4, 4, 4, 1)
    assert reason(lru, 524) == "LRU maps do not take BPF_F_NO_PREALLOC"
    assert reason(wanted(T.HASH, 4, 4, 4, 1), 524) is None


def test_the_error_has_the_reason_and_a_note_of_the_definition(
    kernel: FakeKernel,
) -> None:
    kernel.always("MAP_CREATE", -errno.EINVAL)
    request = wanted(T.HASH, 4, 8, 0)
    with pytest.raises(OSError, match="max_entries") as caught:
        create.create(request, "map 'm'")
    assert str(caught.value) == (
        "map 'm': BPF_MAP_CREATE: invalid argument (EINVAL): max_entries is 0; set"
        " maps.m.max_entries before load() (entries)"
    )
    assert caught.value.errno == errno.EINVAL
    assert caught.value.__notes__ == [definition(request)]
    assert definition(request) == (
        "asked for: type HASH, key_size 4, value_size 8, max_entries 0, flags 0x0"
    )
