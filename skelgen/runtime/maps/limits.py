"""Why the kernel refuses to make a map: what each type wants, said in a sentence.

The kernel answers ``EINVAL`` to nearly everything. The rules here are those of the
``map_alloc_check`` of its map types (``kernel/bpf``), looked at after a failure.
"""

from __future__ import annotations

import errno
import mmap

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.flags import (
    BPF_F_LINK,
    BPF_F_MMAPABLE,
    BPF_F_NO_PREALLOC,
    BPF_F_STACK_BUILD_ID,
)
from skelgen.runtime.errors import ENOTSUPP
from skelgen.runtime.maps.settings import type_name

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.maps.request import MapRequest

_PER_CPU_MAX: Final = 32 << 10
"""``PCPU_MIN_UNIT_SIZE``: bytes that a CPU's part of an allocation can have."""
_KMALLOC_MAX: Final = 4 << 20
"""``KMALLOC_MAX_SIZE`` where pages have 4 KiB: bytes in one piece."""
_MOST_HASHES: Final = 15
_ARENA_MAX: Final = 4 << 30

_ANY: Final = range(1, 1 << 32)
_NONE: Final = (0,)
_4: Final = (4,)
_4_OR_8: Final = (4, 8)


class Shape(Record):
    """What a map type wants."""

    since: str
    """First kernel that has it; empty for one to come."""
    key: range | tuple[int, ...]
    """Sizes that a key can have, in bytes."""
    value: range | tuple[int, ...]
    entries: bool = True
    """Whether ``max_entries`` is 1 or more; 0 otherwise."""
    flags: int = 0
    """Flags that it has to have."""
    typed: bool = False
    """Whether key and value need BTF types."""


def _local_storage(since: str) -> Shape:
    return Shape(since, _4, _ANY, entries=False, flags=BPF_F_NO_PREALLOC, typed=True)


SHAPES: Final[dict[int, Shape]] = {
    MapType.HASH: Shape("3.19", _ANY, _ANY),
    MapType.ARRAY: Shape("3.19", _4, _ANY),
    MapType.PROG_ARRAY: Shape("4.2", _4, _4),
    MapType.PERF_EVENT_ARRAY: Shape("4.3", _4, _4),
    MapType.PERCPU_HASH: Shape("4.6", _ANY, _ANY),
    MapType.PERCPU_ARRAY: Shape("4.6", _4, _ANY),
    MapType.STACK_TRACE: Shape("4.6", _4, _ANY),
    MapType.CGROUP_ARRAY: Shape("4.8", _4, _4),
    MapType.LRU_HASH: Shape("4.10", _ANY, _ANY),
    MapType.LRU_PERCPU_HASH: Shape("4.10", _ANY, _ANY),
    MapType.LPM_TRIE: Shape("4.11", range(5, 261), _ANY, flags=BPF_F_NO_PREALLOC),
    MapType.ARRAY_OF_MAPS: Shape("4.12", _4, _4),
    MapType.HASH_OF_MAPS: Shape("4.12", _ANY, _4),
    MapType.DEVMAP: Shape("4.14", _4, _4_OR_8),
    MapType.SOCKMAP: Shape("4.14", _4, _4_OR_8),
    MapType.CPUMAP: Shape("4.15", _4, _4_OR_8),
    MapType.XSKMAP: Shape("4.18", _4, _4),
    MapType.SOCKHASH: Shape("4.18", _ANY, _4_OR_8),
    MapType.CGROUP_STORAGE: Shape("4.19", (8, 16), _ANY, entries=False),
    MapType.REUSEPORT_SOCKARRAY: Shape("4.19", _4, _4_OR_8),
    MapType.PERCPU_CGROUP_STORAGE: Shape("4.20", (8, 16), _ANY, entries=False),
    MapType.QUEUE: Shape("4.20", _NONE, _ANY),
    MapType.STACK: Shape("4.20", _NONE, _ANY),
    MapType.SK_STORAGE: _local_storage("5.2"),
    MapType.DEVMAP_HASH: Shape("5.4", _4, _4_OR_8),
    MapType.STRUCT_OPS: Shape("5.6", _4, _ANY),
    MapType.RINGBUF: Shape("5.8", _NONE, _NONE),
    MapType.INODE_STORAGE: _local_storage("5.10"),
    MapType.TASK_STORAGE: _local_storage("5.11"),
    MapType.BLOOM_FILTER: Shape("5.16", _NONE, _ANY),
    MapType.USER_RINGBUF: Shape("6.1", _NONE, _NONE),
    MapType.CGRP_STORAGE: _local_storage("6.2"),
    MapType.ARENA: Shape("6.9", _NONE, _NONE, flags=BPF_F_MMAPABLE),
    MapType.INSN_ARRAY: Shape("6.19", _4, (16,)),
    MapType.RHASH: Shape("", _ANY, _ANY, flags=BPF_F_NO_PREALLOC),
}
"""By map type: what the kernel's own checks want of it."""

_PER_CPU: Final = frozenset(
    {MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH}
)
_HASHES: Final = frozenset({MapType.HASH, MapType.LRU_HASH, MapType.HASH_OF_MAPS})
_LRU: Final = frozenset({MapType.LRU_HASH, MapType.LRU_PERCPU_HASH})
_RINGS: Final = frozenset({MapType.RINGBUF, MapType.USER_RINGBUF})
_MAPS_OF_MAPS: Final = frozenset({MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS})
_WITH_EXTRA: Final = frozenset({MapType.BLOOM_FILTER, MapType.ARENA})

_FLAG_NAMES: Final = {
    BPF_F_NO_PREALLOC: "BPF_F_NO_PREALLOC",
    BPF_F_MMAPABLE: "BPF_F_MMAPABLE",
}


def definition(wanted: MapRequest) -> str:
    """Return the definition of a map in words."""
    return (
        f"asked for: type {type_name(wanted.type)}, key_size {wanted.key_size},"
        f" value_size {wanted.value_size}, max_entries {wanted.max_entries}, flags"
        f" {wanted.flags:#x}"
    )


def reason(wanted: MapRequest, error: int) -> str | None:
    """Return why the kernel refused a map, ``None`` where nothing is known.

    ``error`` is the errno that it gave.
    """
    shape = SHAPES.get(wanted.type)
    if error == errno.EINVAL:
        return _of_sizes(wanted, shape) or _of_rest(wanted, shape)
    if error == errno.E2BIG:
        return _too_big(wanted)
    if error == errno.ENOMEM:
        return (
            f"no memory for {wanted.max_entries} entries of"
            f" {wanted.key_size + wanted.value_size} bytes; lower max_entries"
        )
    if error == ENOTSUPP and wanted.type in _LRU:
        return "LRU maps do not take BPF_F_NO_PREALLOC"
    return None


def _of_sizes(wanted: MapRequest, shape: Shape | None) -> str | None:
    """Return what is wrong with the four numbers of every map."""
    if shape is None:
        return None
    kind = type_name(wanted.type)
    for word, size, sizes in (
        ("key_size", wanted.key_size, shape.key),
        ("value_size", wanted.value_size, shape.value),
    ):
        if size not in sizes:
            return f"{word} is {size}, and {kind} wants {_sizes(sizes)}"
    if shape.entries and not wanted.max_entries:
        unit = "bytes" if wanted.type in _RINGS else "entries"
        return f"max_entries is 0; {_setter(wanted, 'max_entries')} ({unit})"
    if not shape.entries and wanted.max_entries:
        return f"max_entries is {wanted.max_entries}, and {kind} wants 0"
    missing = shape.flags & ~wanted.flags
    if missing:
        return f"{kind} wants map_flags {_FLAG_NAMES[missing]}"
    return None


def _of_rest(wanted: MapRequest, shape: Shape | None) -> str:
    """Return what is wrong where sizes, number of entries and flags are right."""
    kind = type_name(wanted.type)
    frame = 32 if wanted.flags & BPF_F_STACK_BUILD_ID else 8
    since = f" (Linux {shape.since} has it)" if shape and shape.since else ""
    causes = (
        (
            wanted.type == MapType.STRUCT_OPS and wanted.flags & BPF_F_LINK,
            (
                "this kernel may not have links of struct_ops, in Linux since 6.4;"
                ' SEC(".struct_ops") is without one'
            ),
        ),
        (
            wanted.type in _MAPS_OF_MAPS and wanted.inner is None,
            f"{kind} wants an inner map; declare one or {_setter(wanted, 'inner')}",
        ),
        (
            wanted.type in _RINGS and not _is_ring_size(wanted.max_entries),
            (
                f"max_entries is {wanted.max_entries}, and {kind} wants bytes: a power of"
                f" two of pages of {mmap.PAGESIZE}"
            ),
        ),
        (
            wanted.type == MapType.STACK_TRACE,
            (
                f"value_size is {wanted.value_size}, and {kind} wants {frame} bytes a"
                " frame and no more frames than sysctl kernel.perf_event_max_stack"
            ),
        ),
        (
            wanted.type == MapType.BLOOM_FILTER and wanted.map_extra > _MOST_HASHES,
            (
                f"map_extra is {wanted.map_extra}, and a bloom filter has"
                f" {_MOST_HASHES} hashes at most"
            ),
        ),
        (
            wanted.map_extra and wanted.type not in _WITH_EXTRA,
            f"map_extra is {wanted.map_extra:#x}, and {kind} wants 0",
        ),
        (
            shape is not None and shape.typed and not wanted.key_type_id,
            (
                f"{kind} wants BTF types of key and value; declare both with __type() and"
                " compile with -g"
            ),
        ),
        (
            wanted.numa_node is not None,
            f"this machine may have no NUMA node {wanted.numa_node} online",
        ),
        (
            wanted.ifindex,
            f"interface {wanted.ifindex} may not be there, or offload no maps",
        ),
        (
            True,
            f"this kernel may not have map type {kind}{since}, or not these map_flags",
        ),
    )
    return next(text for there, text in causes if there)


def _too_big(wanted: MapRequest) -> str | None:
    if wanted.type in _PER_CPU and wanted.value_size > _PER_CPU_MAX:
        return (
            f"value_size is {wanted.value_size}, and a CPU's value has at most"
            f" {_PER_CPU_MAX} bytes"
        )
    if wanted.type == MapType.CPUMAP:
        return f"max_entries is {wanted.max_entries}, more than the kernel's NR_CPUS"
    if wanted.type == MapType.ARENA:
        return (
            f"max_entries is {wanted.max_entries}, and an arena has at most"
            f" {_ARENA_MAX // mmap.PAGESIZE} pages"
        )
    element = wanted.key_size + wanted.value_size
    if wanted.type in _HASHES and element > _KMALLOC_MAX // 2:
        return (
            f"key_size and value_size are {element} bytes together, and the kernel"
            f" allocates {_KMALLOC_MAX >> 20} MiB in one piece at most"
        )
    return (
        f"{wanted.max_entries} entries of {element} bytes are more than the kernel"
        " takes; lower max_entries or value_size"
    )


def _is_ring_size(size: int) -> bool:
    return size % mmap.PAGESIZE == 0 and size & (size - 1) == 0


def _sizes(sizes: range | tuple[int, ...]) -> str:
    if isinstance(sizes, tuple):
        return " or ".join(map(str, sizes))
    if sizes is _ANY:
        return "1 or more"
    return f"{sizes[0]}..{sizes[-1]}"


def _setter(wanted: MapRequest, setting: str) -> str:
    return f"set maps.{wanted.declared}.{setting} before load()"
