"""Making maps: what the kernel is asked for, and again where it is too old."""

from __future__ import annotations

import errno
import mmap

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_MMAPABLE, BPF_F_NUMA_NODE, BPF_F_RDONLY_PROG
from skelgen.model.spec import DataKind, DataSpec, MapSpec
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError, describe, os_error
from skelgen.runtime.kernel.names import NAME_LENGTH, kernel_name
from skelgen.runtime.log import debug
from skelgen.runtime.syscalls.sizes import possible_cpus

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.maps.settings import InnerMap

_RING_BUFFERS: Final = frozenset({MapType.RINGBUF, MapType.USER_RINGBUF})
MAPS_OF_MAPS: Final = frozenset({MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS})

# types whose map_check_btf says no; as in libbpf
_WITHOUT_BTF: Final = MAPS_OF_MAPS | {
    MapType.PERF_EVENT_ARRAY,
    MapType.CGROUP_ARRAY,
    MapType.STACK_TRACE,
    MapType.DEVMAP,
    MapType.DEVMAP_HASH,
    MapType.CPUMAP,
    MapType.XSKMAP,
    MapType.SOCKMAP,
    MapType.SOCKHASH,
    MapType.QUEUE,
    MapType.STACK,
    MapType.ARENA,
}
_NOT_THE_TYPES: Final = frozenset({errno.EPERM, errno.ENOMEM})


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


def section_map_name(object_name: str, section: str) -> str:
    """Return the kernel's name of a data section's map, as libbpf makes it.

    ``.bss`` of ``bootstrap`` is ``bootstra.bss``: 7 characters or more are left for
    the section. A section of a longer name (``.data.foo``) stands for itself.
    """
    if "." in section[1:]:
        prefix = ""
    else:
        suffix = min(max(7, len(section)), NAME_LENGTH)
        prefix = object_name[: NAME_LENGTH - suffix]
    return kernel_name(prefix + section)


def data_map_spec(spec: DataSpec) -> MapSpec:
    """Return the array map of one element that a data section becomes."""
    flags = BPF_F_RDONLY_PROG if spec.readonly else 0
    if spec.mmapable:
        flags |= BPF_F_MMAPABLE
    return MapSpec(
        spec.section,
        MapType.ARRAY,
        key_size=4,
        value_size=spec.size,
        max_entries=1,
        flags=flags,
        value_type_id=spec.type_id,
    )


def has_map(spec: DataSpec) -> bool:
    """Whether a data section has a map of its own: global variables of an arena have not."""
    return spec.kind is not DataKind.ARENA


def request(handle: MapHandle, name: str) -> MapRequest:
    """Return what to ask the kernel for, with sizes that depend on the machine."""
    spec = handle.spec
    numa_node = handle.numa_node
    if numa_node == spec.numa_node and not handle.flags & BPF_F_NUMA_NODE:
        numa_node = None  # the file names a node without the flag that it counts
    return _finish(
        MapRequest(
            handle.type,
            handle.key_size,
            handle.value_size,
            handle.max_entries,
            handle.flags,
            kernel_name(name),
            handle.name,
            numa_node,
            handle.map_extra,
            handle.ifindex,
            spec.key_type_id if handle.key_size == spec.key_size else 0,
            handle.value_type_id(),
            _inner_request(handle.inner, name),
        )
    )


def _inner_request(inner: InnerMap | None, outer: str) -> MapRequest | None:
    return None if inner is None else inner_request(inner, outer)


def inner_request(
    inner: InnerMap, outer: str, *, max_entries: int | None = None
) -> MapRequest:
    """Return what to ask the kernel for, for an inner map."""
    declared, spec = inner.spec, inner.now()
    if max_entries is not None:
        spec = spec._replace(max_entries=max_entries)
    return _finish(
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


def _finish(wanted: MapRequest) -> MapRequest:
    entries = wanted.max_entries
    if wanted.type in _RING_BUFFERS and entries:
        size = mmap.PAGESIZE
        while size < entries:
            size *= 2
        wanted = wanted._replace(max_entries=size)
    elif wanted.type == MapType.PERF_EVENT_ARRAY and not entries:
        wanted = wanted._replace(max_entries=possible_cpus())
    if wanted.type in _WITHOUT_BTF or not wanted.value_type_id:
        # the kernel takes a type of the key with one of the value only
        wanted = wanted._replace(key_type_id=0, value_type_id=0)
    return wanted


def create(wanted: MapRequest, what: str, *, btf_fd: int = 0, token_fd: int = 0) -> int:
    """Make a map and return its fd.

    Raises :class:`BpfOSError`. A kernel that does not like the types of keys and
    values gets none, one that knows no names of maps (before 4.15) none.
    """
    inner_fd = 0
    if wanted.inner is not None:
        inner_fd = create(
            wanted.inner, f"{what}: inner map", btf_fd=btf_fd, token_fd=token_fd
        )
    try:
        return _create(wanted, what, inner_fd, btf_fd, token_fd)
    finally:
        if inner_fd:
            syscalls.close(inner_fd)


def _create(
    wanted: MapRequest, what: str, inner_fd: int, btf_fd: int, token_fd: int
) -> int:
    typed = btf_fd and (
        wanted.key_type_id or wanted.value_type_id or wanted.kernel_type_id
    )

    def attempt(name: str, *, with_types: bool) -> int:
        return syscalls.map_create(
            type=wanted.type,
            key_size=wanted.key_size,
            value_size=wanted.value_size,
            max_entries=wanted.max_entries,
            flags=wanted.flags,
            name=name,
            numa_node=wanted.numa_node,
            inner_map_fd=inner_fd,
            btf_fd=btf_fd if with_types else 0,
            btf_key_type_id=wanted.key_type_id if with_types else 0,
            btf_value_type_id=wanted.value_type_id if with_types else 0,
            btf_vmlinux_value_type_id=wanted.kernel_type_id,
            map_extra=wanted.map_extra,
            ifindex=wanted.ifindex,
            value_type_btf_obj_fd=wanted.module_fd,
            token_fd=token_fd,
            excl_prog_hash=wanted.program_hash or None,
            what=what,
        )

    try:
        return attempt(wanted.name, with_types=bool(typed))
    except BpfOSError as error:
        first = error.with_traceback(None)  # which would keep the frames
    if typed and not wanted.kernel_type_id and first.errno not in _NOT_THE_TYPES:
        debug("%s; once more without BTF", first)
        try:
            return attempt(wanted.name, with_types=False)
        except BpfOSError as error:
            debug("%s", error)
    if first.errno in {errno.EINVAL, errno.E2BIG}:
        from skelgen.runtime.kernel import features

        if features.PROG_NAME.supported() is False:
            return attempt("", with_types=False)
    if wanted.program_hash and first.errno == errno.E2BIG:
        # the attribute, or the map: without the hash it is the map
        fd = create(
            wanted._replace(program_hash=b""), what, btf_fd=btf_fd, token_fd=token_fd
        )
        syscalls.close(fd)
        raise NotSupportedError(
            "this kernel has no maps of one program (exclusive_program)",
            feature="excl_prog_hash of BPF_MAP_CREATE",
            since="6.18",
            what=what,
        ) from first
    raise _explained(first, wanted, what)


def _explained(error: BpfOSError, wanted: MapRequest, what: str) -> BpfOSError:
    """Return the error with what is known of its cause."""
    from skelgen.runtime.maps import limits

    number = error.errno or 0
    reason = limits.reason(wanted, number)
    if reason is None:
        return error
    result = os_error(
        number, f"{describe(number)}: {reason}", command=error.command, what=what
    )
    result.add_note(limits.definition(wanted))
    return result
