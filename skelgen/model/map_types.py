"""Facts about map types: one row a type.

The rules are those of the ``map_alloc_check`` of the kernel's map types (``kernel/bpf``).
Distributions port types back, so ``since`` is for messages and documentation, never for
deciding what a kernel can do.
"""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_F_RDONLY_PROG

if TYPE_CHECKING:
    from typing import Final, Literal

Sizes = range | tuple[int, ...]
"""Sizes that are allowed, in bytes; a kernel that has the type takes the first one."""

ANY: Final = range(1, 1 << 32)
NONE: Final = (0,)
_4: Final = (4,)
_4_OR_8: Final = (4, 8)
_CGROUP: Final = (16, 8)


class MapTypeRow(Record):
    """A type of map."""

    since: str
    """First mainline kernel that has it; empty for a type newer than this table."""
    key: Sizes
    value: Sizes
    family: str = "GenericMap"
    """Class of the runtime for its elements."""
    codecs: tuple[str, ...] = ("key", "value")
    """Keyword arguments with which that class is told of them."""
    unit: Literal["entry", "byte", "page"] = "entry"
    """Unit of ``max_entries``."""
    entries: bool = True
    """Whether ``max_entries`` is 1 or more; it is 0 otherwise."""
    flags: int = 0
    """Flags that it needs."""
    refused_flags: int = 0
    """Flags that it refuses with ``ENOTSUPP``."""
    added_flags: int = 0
    """Flags that the kernel adds to those that were asked for."""
    extra: bool = False
    """Whether ``map_extra`` has a meaning; it is 0 otherwise."""
    btf: Literal["allowed", "required", "refused"] = "allowed"
    """BTF types of key and value."""
    index_key: bool = False
    """Whether its key is an index of 32 bits."""
    fd_value: bool = False
    """Whether a process writes its values as fds, of 4 bytes."""
    per_cpu: bool = False
    """Whether an element has a value for each possible CPU."""
    of_maps: bool = False
    """Whether its values are maps."""
    one_piece: bool = False
    """Whether the kernel allocates key and value of an element in one piece."""
    net_admin: bool = False
    """Whether ``CAP_NET_ADMIN`` is needed to create it."""
    iterator: str = ""
    """Iterator that walks its elements: ``iter/<iterator>``."""


def _local_storage(since: str, iterator: str = "") -> MapTypeRow:
    return MapTypeRow(
        since,
        _4,
        ANY,
        entries=False,
        flags=BPF_F_NO_PREALLOC,
        btf="required",
        iterator=iterator,
    )


_T = MapType
# fmt: off
ROWS: Final[dict[int, MapTypeRow]] = {
    _T.HASH: MapTypeRow("3.19", ANY, ANY, "HashMap", one_piece=True, iterator="bpf_map_elem"),
    _T.ARRAY: MapTypeRow("3.19", _4, ANY, "ArrayMap", ("value",), index_key=True, iterator="bpf_map_elem"),
    _T.PROG_ARRAY: MapTypeRow("4.2", _4, _4, "ProgArray", (), index_key=True, fd_value=True),
    _T.PERF_EVENT_ARRAY: MapTypeRow("4.3", _4, _4, index_key=True, fd_value=True, btf="refused"),
    _T.PERCPU_HASH: MapTypeRow("4.6", ANY, ANY, "PerCpuHashMap", per_cpu=True, iterator="bpf_map_elem"),
    _T.PERCPU_ARRAY: MapTypeRow("4.6", _4, ANY, "PerCpuArrayMap", ("value",), index_key=True, per_cpu=True, iterator="bpf_map_elem"),
    _T.STACK_TRACE: MapTypeRow("4.6", _4, ANY, index_key=True, btf="refused"),
    _T.CGROUP_ARRAY: MapTypeRow("4.8", _4, _4, index_key=True, fd_value=True, btf="refused"),
    _T.LRU_HASH: MapTypeRow("4.10", ANY, ANY, "HashMap", one_piece=True, refused_flags=BPF_F_NO_PREALLOC, iterator="bpf_map_elem"),
    _T.LRU_PERCPU_HASH: MapTypeRow("4.10", ANY, ANY, "PerCpuHashMap", per_cpu=True, refused_flags=BPF_F_NO_PREALLOC, iterator="bpf_map_elem"),
    _T.LPM_TRIE: MapTypeRow("4.11", range(5, 261), ANY, flags=BPF_F_NO_PREALLOC),
    _T.ARRAY_OF_MAPS: MapTypeRow("4.12", _4, _4, index_key=True, fd_value=True, of_maps=True, btf="refused"),
    _T.HASH_OF_MAPS: MapTypeRow("4.12", ANY, _4, fd_value=True, of_maps=True, one_piece=True, btf="refused"),
    _T.DEVMAP: MapTypeRow("4.14", _4, _4_OR_8, index_key=True, added_flags=BPF_F_RDONLY_PROG, btf="refused", net_admin=True),
    _T.SOCKMAP: MapTypeRow("4.14", _4, _4_OR_8, index_key=True, btf="refused", net_admin=True, iterator="sockmap"),
    _T.CPUMAP: MapTypeRow("4.15", _4, _4_OR_8, index_key=True, btf="refused"),
    _T.XSKMAP: MapTypeRow("4.18", _4, _4, index_key=True, fd_value=True, btf="refused", net_admin=True),
    _T.SOCKHASH: MapTypeRow("4.18", ANY, _4_OR_8, btf="refused", net_admin=True, iterator="sockmap"),
    _T.CGROUP_STORAGE: MapTypeRow("4.19", _CGROUP, ANY, entries=False),
    _T.REUSEPORT_SOCKARRAY: MapTypeRow("4.19", _4, _4_OR_8, index_key=True),
    _T.PERCPU_CGROUP_STORAGE: MapTypeRow("4.20", _CGROUP, ANY, "PerCpuGenericMap", entries=False, per_cpu=True),
    _T.QUEUE: MapTypeRow("4.20", NONE, ANY, btf="refused"),
    _T.STACK: MapTypeRow("4.20", NONE, ANY, btf="refused"),
    _T.SK_STORAGE: _local_storage("5.2", iterator="bpf_sk_storage_map"),
    _T.DEVMAP_HASH: MapTypeRow("5.4", _4, _4_OR_8, added_flags=BPF_F_RDONLY_PROG, btf="refused", net_admin=True),
    _T.STRUCT_OPS: MapTypeRow("5.6", _4, ANY),
    _T.RINGBUF: MapTypeRow("5.8", NONE, NONE, "RingBuf", ("record",), unit="byte"),
    _T.INODE_STORAGE: _local_storage("5.10"),
    _T.TASK_STORAGE: _local_storage("5.11"),
    _T.BLOOM_FILTER: MapTypeRow("5.16", NONE, ANY, extra=True),
    _T.USER_RINGBUF: MapTypeRow("6.1", NONE, NONE, unit="byte"),
    _T.CGRP_STORAGE: _local_storage("6.2"),
    _T.ARENA: MapTypeRow("6.9", NONE, NONE, "ArenaMap", (), unit="page", flags=BPF_F_MMAPABLE, extra=True, btf="refused"),
    _T.INSN_ARRAY: MapTypeRow("6.19", _4, (16,), index_key=True),
    _T.RHASH: MapTypeRow("7.2", ANY, ANY, flags=BPF_F_NO_PREALLOC),
}
# fmt: on
UNKNOWN: Final = MapTypeRow("", ANY, ANY)


def row(number: int) -> MapTypeRow:
    """Return the row of a map type; for a newer type one that says nothing."""
    return ROWS.get(number, UNKNOWN)


_NAMES: Final = {
    BPF_F_NO_PREALLOC: "BPF_F_NO_PREALLOC",
    BPF_F_MMAPABLE: "BPF_F_MMAPABLE",
}


def missing_flags(number: int, flags: int) -> str:
    """Return which ``map_flags`` lack that the kernel wants of a type; or nothing."""
    missing = row(number).flags & ~flags
    return _NAMES.get(missing, hex(missing)) if missing else ""
