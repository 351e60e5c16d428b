"""``BPF_OBJ_GET_INFO_BY_FD`` on links, Linux 5.8. Layout: ``struct bpf_link_info``."""

from __future__ import annotations

import struct

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, LinkType
from skelgen.runtime.syscalls.buffers import Memory
from skelgen.runtime.syscalls.info import obj_get_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, TypeAlias

_SIZE: Final = 64
_HEAD: Final = struct.Struct("=III")
_NAME_SIZE: Final = 4096


class LinkInfo(Record):
    """``struct bpf_link_info``; what does not concern the family is ``None``."""

    id: int
    type: LinkType | int
    """An ``int`` for a type newer than this skelgen."""
    prog_id: int
    """Kernel id of the program."""
    attach_type: AttachType | int | None = None
    target: str | None = None
    """Tracepoint, kernel function, path or iterator."""
    offset: int | None = None
    """Bytes after the function, or in the file."""
    cookie: int | None = None
    ifindex: int | None = None
    cgroup_id: int | None = None
    netns_ino: int | None = None
    """Inode number of the network namespace."""
    map_id: int | None = None
    """Map of a struct_ops or sockmap link, or the one an iterator walks."""
    target_btf_id: int | None = None
    target_obj_id: int | None = None
    """Kernel id of the target's BTF; of the program for ``freplace``."""
    target_count: int | None = None
    """Functions or places of a multi link."""
    flags: int | None = None
    netfilter: tuple[int, int, int] | None = None
    """Protocol family, hook and priority."""


_Detail: TypeAlias = "dict[str, Any]"


def _attach_type(number: int) -> AttachType | int:
    try:
        return AttachType(number)
    except ValueError:
        return number


def _tracing(info: bytes, _name: str) -> _Detail:
    attach_type, obj_id, btf_id, cookie = struct.unpack_from("=IIIxxxxQ", info, 16)
    return {
        "attach_type": _attach_type(attach_type),
        "target_obj_id": obj_id,
        "target_btf_id": btf_id,
        "cookie": cookie,
    }


def _raw_tracepoint(info: bytes, name: str) -> _Detail:
    (cookie,) = struct.unpack_from("=Q", info, 32)
    return {"target": name, "cookie": cookie}


def _cgroup(info: bytes, _name: str) -> _Detail:
    cgroup_id, attach_type = struct.unpack_from("=QI", info, 16)
    return {"cgroup_id": cgroup_id, "attach_type": _attach_type(attach_type)}


def _iter(info: bytes, name: str) -> _Detail:
    (map_id,) = struct.unpack_from("=I", info, 28)
    return {"target": name, "map_id": map_id if "map" in name else None}


def _netns(info: bytes, _name: str) -> _Detail:
    netns_ino, attach_type = struct.unpack_from("=II", info, 16)
    return {"netns_ino": netns_ino, "attach_type": _attach_type(attach_type)}


def _xdp(info: bytes, _name: str) -> _Detail:
    return {"ifindex": struct.unpack_from("=I", info, 16)[0]}


def _interface(info: bytes, _name: str) -> _Detail:
    ifindex, attach_type = struct.unpack_from("=II", info, 16)
    return {"ifindex": ifindex, "attach_type": _attach_type(attach_type)}


def _map(info: bytes, _name: str) -> _Detail:
    return {"map_id": struct.unpack_from("=I", info, 16)[0]}


def _sockmap(info: bytes, _name: str) -> _Detail:
    map_id, attach_type = struct.unpack_from("=II", info, 16)
    return {"map_id": map_id, "attach_type": _attach_type(attach_type)}


def _netfilter(info: bytes, _name: str) -> _Detail:
    family, hook, priority, flags = struct.unpack_from("=IIiI", info, 16)
    return {"netfilter": (family, hook, priority), "flags": flags}


def _kprobe_multi(info: bytes, _name: str) -> _Detail:
    count, flags = struct.unpack_from("=II", info, 24)
    return {"target_count": count, "flags": flags}


def _uprobe_multi(info: bytes, name: str) -> _Detail:
    count, flags = struct.unpack_from("=II", info, 52)
    return {"target": name, "target_count": count, "flags": flags}


def _perf_event(info: bytes, name: str) -> _Detail:
    (kind,) = struct.unpack_from("=I", info, 16)
    if kind in {1, 2}:  # BPF_PERF_EVENT_UPROBE, _URETPROBE
        offset, cookie = struct.unpack_from("=IQ", info, 36)
        return {"target": name, "offset": offset, "cookie": cookie}
    if kind in {3, 4}:  # _KPROBE, _KRETPROBE
        (offset,) = struct.unpack_from("=I", info, 36)
        (cookie,) = struct.unpack_from("=Q", info, 56)
        return {"target": name, "offset": offset, "cookie": cookie}
    if kind == 5:  # _TRACEPOINT
        return {"target": name, "cookie": struct.unpack_from("=Q", info, 40)[0]}
    return {"cookie": struct.unpack_from("=Q", info, 40)[0]}


class _Family(Record):
    read: Callable[[bytes, str], _Detail]
    name: tuple[int, int] | None = None
    """Offsets of a name's address and size."""


_FAMILIES: Final[dict[int, _Family]] = {
    LinkType.RAW_TRACEPOINT: _Family(_raw_tracepoint, (16, 24)),
    LinkType.TRACING: _Family(_tracing),
    LinkType.CGROUP: _Family(_cgroup),
    LinkType.ITER: _Family(_iter, (16, 24)),
    LinkType.NETNS: _Family(_netns),
    LinkType.XDP: _Family(_xdp),
    LinkType.PERF_EVENT: _Family(_perf_event, (24, 32)),
    LinkType.KPROBE_MULTI: _Family(_kprobe_multi),
    LinkType.STRUCT_OPS: _Family(_map),
    LinkType.NETFILTER: _Family(_netfilter),
    LinkType.TCX: _Family(_interface),
    LinkType.UPROBE_MULTI: _Family(_uprobe_multi, (16, 48)),
    LinkType.NETKIT: _Family(_interface),
    LinkType.SOCKMAP: _Family(_sockmap),
}

_PERF_KIND_EVENT: Final = 6  # BPF_PERF_EVENT_EVENT: no name there


def link_info(fd: int, *, what: str = "") -> LinkInfo:
    """Return what the kernel tells about a link, Linux 5.8."""
    info = obj_get_info(fd, _SIZE, what=what)
    number, link_id, prog_id = _HEAD.unpack_from(info)
    family = _FAMILIES.get(number)
    if family is None:
        return LinkInfo(link_id, number, prog_id)
    name = ""
    where = family.name
    if where is not None and not _nameless(number, info):
        memory = Memory()
        text = bytearray(_NAME_SIZE)
        preset = bytearray(_SIZE)
        struct.pack_into("=Q", preset, where[0], memory.write(text))
        struct.pack_into("=I", preset, where[1], len(text))
        info = obj_get_info(fd, _SIZE, preset=preset, what=what)
        name = bytes(text).split(b"\0", 1)[0].decode(errors="surrogateescape")
    detail = family.read(info, name)
    return LinkInfo(link_id, LinkType(number), prog_id)._replace(**detail)


def _nameless(number: int, info: bytes) -> bool:
    """Return whether a perf event link is of a counter or of an unknown kind."""
    if number != LinkType.PERF_EVENT:
        return False
    kind: int = struct.unpack_from("=I", info, 16)[0]
    return kind == 0 or kind >= _PERF_KIND_EVENT
