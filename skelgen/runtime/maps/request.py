"""The request for a map: all that the kernel is told."""

from __future__ import annotations

import mmap

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_NUMA_NODE
from skelgen.runtime.kernel.names import kernel_name
from skelgen.runtime.syscalls.sizes import possible_cpus

if TYPE_CHECKING:

    from skelgen.model.spec import MapSpec
    from skelgen.runtime.maps.settings import InnerMap


class MapRequest(Record):
    """A map as the kernel is asked for it."""

    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str
    """The kernel's, 15 characters at most."""
    declared: str = ""
    """The name in C, for messages."""
    numa_node: int | None = None
    map_extra: int = 0
    ifindex: int = 0
    key_type_id: int = 0
    value_type_id: int = 0
    inner: MapRequest | None = None
    kernel_type_id: int = 0
    """Kernel type of a struct_ops map's value."""
    module_fd: int = 0
    """BTF of the module that has that type."""
    program_hash: bytes = b""
    """Of the one program that may use it."""


def inner_request(
    inner: InnerMap, outer: str, *, max_entries: int | None = None
) -> MapRequest:
    """Return what to ask the kernel for, for an inner map."""
    declared, spec = inner.spec, inner.now()
    if max_entries is not None:
        spec = spec._replace(max_entries=max_entries)
    return finished(
        MapRequest(
            spec.type,
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            spec.flags,
            kernel_name(f"{outer}.inner"),
            f"{outer}.inner",
            _inner_node(declared, spec),
            spec.map_extra,
            0,
            spec.key_type_id if spec.key_size == declared.key_size else 0,
            spec.value_type_id if spec.value_size == declared.value_size else 0,
        )
    )


def _inner_node(declared: MapSpec, spec: MapSpec) -> int | None:
    """Return the NUMA node; one of the file counts only with its flag."""
    named = spec.numa_node != declared.numa_node
    return spec.numa_node if named or spec.flags & BPF_F_NUMA_NODE else None


def finished(wanted: MapRequest) -> MapRequest:
    """Return a request with the sizes that depend on the machine."""
    from skelgen.model import map_types

    row = map_types.row(wanted.type)
    entries = wanted.max_entries
    if row.unit == "byte" and entries:
        size = mmap.PAGESIZE
        while size < entries:
            size *= 2
        wanted = wanted._replace(max_entries=size)
    elif wanted.type == MapType.PERF_EVENT_ARRAY and not entries:
        wanted = wanted._replace(max_entries=possible_cpus())
    if row.btf == "refused" or not wanted.value_type_id:
        # the kernel takes a type of the key with one of the value only
        wanted = wanted._replace(key_type_id=0, value_type_id=0)
    return wanted
