"""Why the kernel refuses to make a map: what each type wants, said in a sentence.

The kernel answers ``EINVAL`` to nearly everything, so after a failure the request is
compared with the row of its map type.
"""

from __future__ import annotations

import errno
import mmap

from skelgen._typing import TYPE_CHECKING
from skelgen.model import map_types
from skelgen.model.enums import MapType
from skelgen.model.flags import (
    BPF_F_LINK,
    BPF_F_STACK_BUILD_ID,
)
from skelgen.runtime.errors import ENOTSUPP
from skelgen.runtime.maps.settings import type_name

if TYPE_CHECKING:
    from typing import Final

    from skelgen.model.map_types import MapTypeRow, Sizes
    from skelgen.runtime.maps.request import MapRequest

_PER_CPU_MAX: Final = 32 << 10
"""``PCPU_MIN_UNIT_SIZE``: bytes that a CPU's part of an allocation can have."""
_KMALLOC_MAX: Final = 4 << 20
"""``KMALLOC_MAX_SIZE`` where pages have 4 KiB: bytes in one piece."""
_MOST_HASHES: Final = 15
_ARENA_MAX: Final = 4 << 30

_UNITS: Final = {"entry": "entries", "byte": "bytes", "page": "pages"}


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
    row = map_types.row(wanted.type)
    if error == errno.EINVAL:
        return _of_sizes(wanted, row) or _of_rest(wanted, row)
    if error == errno.E2BIG:
        return _too_big(wanted, row)
    if error == errno.ENOMEM:
        # older kernels try to get as much, and fail
        return _too_big_for_a_cpu(wanted, row) or (
            f"no memory for {wanted.max_entries} entries of"
            f" {wanted.key_size + wanted.value_size} bytes; lower max_entries"
        )
    if error == ENOTSUPP and row.refused_flags & wanted.flags:
        return "LRU maps do not take BPF_F_NO_PREALLOC"
    return None


def _of_sizes(wanted: MapRequest, row: MapTypeRow) -> str | None:
    """Return what is wrong with the four numbers of every map."""
    if wanted.type not in map_types.ROWS:
        return None
    kind = type_name(wanted.type)
    for word, size, sizes in (
        ("key_size", wanted.key_size, row.key),
        ("value_size", wanted.value_size, row.value),
    ):
        if size not in sizes:
            return f"{word} is {size}, and {kind} wants {_sizes(sizes)}"
    if row.entries and not wanted.max_entries:
        unit = _UNITS[row.unit]
        return f"max_entries is 0; {_setter(wanted, 'max_entries')} ({unit})"
    if not row.entries and wanted.max_entries:
        return f"max_entries is {wanted.max_entries}, and {kind} wants 0"
    missing = map_types.missing_flags(wanted.type, wanted.flags)
    if missing:
        return f"{kind} wants map_flags {missing}"
    return None


def _of_rest(wanted: MapRequest, row: MapTypeRow) -> str:
    """Return what is wrong where sizes, number of entries and flags are right."""
    kind = type_name(wanted.type)
    frame = 32 if wanted.flags & BPF_F_STACK_BUILD_ID else 8
    since = f" (Linux {row.since} has it)" if row.since else ""
    causes = (
        (
            wanted.type == MapType.STRUCT_OPS and wanted.flags & BPF_F_LINK,
            (
                "this kernel may not have links of struct_ops, in Linux since 6.4;"
                ' SEC(".struct_ops") is without one'
            ),
        ),
        (
            row.of_maps and wanted.inner is None,
            f"{kind} wants an inner map; declare one or {_setter(wanted, 'inner')}",
        ),
        (
            row.unit == "byte" and not _is_ring_size(wanted.max_entries),
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
            wanted.map_extra and not row.extra,
            f"map_extra is {wanted.map_extra:#x}, and {kind} wants 0",
        ),
        (
            row.btf == "required" and not wanted.key_type_id,
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


def _too_big_for_a_cpu(wanted: MapRequest, row: MapTypeRow) -> str | None:
    if row.per_cpu and wanted.value_size > _PER_CPU_MAX:
        return (
            f"value_size is {wanted.value_size}, and a CPU's value has at most"
            f" {_PER_CPU_MAX} bytes"
        )
    return None


def _too_big(wanted: MapRequest, row: MapTypeRow) -> str:
    for_a_cpu = _too_big_for_a_cpu(wanted, row)
    if for_a_cpu:
        return for_a_cpu
    if wanted.type == MapType.CPUMAP:
        return f"max_entries is {wanted.max_entries}, more than the kernel's NR_CPUS"
    if wanted.type == MapType.ARENA:
        return (
            f"max_entries is {wanted.max_entries}, and an arena has at most"
            f" {_ARENA_MAX // mmap.PAGESIZE} pages"
        )
    element = wanted.key_size + wanted.value_size
    if row.one_piece and element > _KMALLOC_MAX // 2:
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


def _sizes(sizes: Sizes) -> str:
    if isinstance(sizes, tuple):
        return " or ".join(map(str, sorted(sizes)))
    if sizes == map_types.ANY:
        return "1 or more"
    return f"{sizes[0]}..{sizes[-1]}"


def _setter(wanted: MapRequest, setting: str) -> str:
    return f"set maps.{wanted.declared}.{setting} before load()"
