"""``bpf(2)`` commands on links. Layouts: ``union bpf_attr``, ``linux/bpf.h``."""

from __future__ import annotations

import struct

from skelgen.model.enums import AttachType, Command
from skelgen.runtime.syscalls.seam import Buffer, Memory, bpf, check, check_fd
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_HEAD: Final = struct.Struct("=IIII")

BPF_F_REPLACE: Final = 1 << 2
"""Only if the program (or map) in place is the one that is given."""
BPF_F_BEFORE: Final = 1 << 3
"""Before the relative, or first of all (tcx, netkit, cgroup)."""
BPF_F_AFTER: Final = 1 << 4
"""After the relative, or last of all."""
BPF_F_ID: Final = 1 << 5
"""The relative is given as an id."""
BPF_F_PREORDER: Final = 1 << 6
"""Run before the programs of sub-cgroups (Linux 6.15)."""
BPF_F_LINK: Final = 1 << 13
"""The relative is a link."""


def link_create(
    prog_fd: int,
    target: int,
    attach_type: int,
    *,
    flags: int = 0,
    tail: Buffer = b"",
    what: str = "",
) -> int:
    """Attach a program and return the link's fd: ``BPF_LINK_CREATE``, Linux 5.7.

    ``target`` is an fd (cgroup, network namespace, map, perf event, program), the
    index of an interface, or 0; ``prog_fd`` is a struct_ops map for ``STRUCT_OPS``.
    ``tail`` is the family's part of ``union bpf_attr``; the ``tail_*`` functions
    make it.
    """
    attr = bytearray(_HEAD.pack(prog_fd, target, attach_type, flags) + tail)
    command = Command.LINK_CREATE
    return check_fd(command, bpf(command, attr), what or f"program fd {prog_fd}")


def link_create_perf_event(
    prog_fd: int, perf_fd: int, *, cookie: int = 0, what: str = ""
) -> int:
    """Attach to a perf event (tracepoint, kprobe, uprobe, counter), Linux 5.15."""
    return link_create(
        prog_fd,
        perf_fd,
        AttachType.PERF_EVENT,
        tail=struct.pack("=Q", cookie),
        what=what,
    )


def link_create_tracing(
    prog_fd: int,
    attach_type: int,
    *,
    target_fd: int = 0,
    target_btf_id: int = 0,
    cookie: int = 0,
    what: str = "",
) -> int:
    """Attach ``tp_btf``, ``fentry``, ``fexit``, ``fmod_ret``, ``lsm`` or ``freplace``.

    Linux 5.19 (before: :func:`raw_tracepoint_open` without a name); ``freplace`` to
    another program and function with ``target_fd`` and ``target_btf_id`` since 5.10.
    """
    tail = struct.pack("=IxxxxQ", target_btf_id, cookie)
    return link_create(prog_fd, target_fd, attach_type, tail=tail, what=what)


def link_create_iter(
    prog_fd: int, *, info: Buffer = b"", flags: int = 0, what: str = ""
) -> int:
    """Attach an iterator, Linux 5.8; ``info`` is a ``union bpf_iter_link_info``."""
    memory = Memory()
    tail = struct.pack("=QI", memory.read(info), len(info))
    return link_create(
        prog_fd, 0, AttachType.TRACE_ITER, flags=flags, tail=tail, what=what
    )


def link_create_ordered(
    prog_fd: int,
    target: int,
    attach_type: int,
    *,
    flags: int = 0,
    relative_fd: int = 0,
    relative_id: int = 0,
    expected_revision: int = 0,
    what: str = "",
) -> int:
    """Attach where order counts: tcx (Linux 6.6), netkit (6.7), cgroup (6.16)."""
    tail = struct.pack("=IxxxxQ", relative_fd or relative_id, expected_revision)
    return link_create(prog_fd, target, attach_type, flags=flags, tail=tail, what=what)


def link_create_netfilter(
    prog_fd: int,
    *,
    family: int,
    hook: int,
    priority: int,
    flags: int = 0,
    what: str = "",
) -> int:
    """Attach to a netfilter hook, Linux 6.4.

    ``family`` is ``NFPROTO_*``, ``hook`` ``NF_INET_*``, ``flags`` may be
    ``BPF_F_NETFILTER_IP_DEFRAG`` (1, Linux 6.6).
    """
    tail = struct.pack("=IIiI", family, hook, priority, flags)
    return link_create(prog_fd, 0, AttachType.NETFILTER, tail=tail, what=what)


def link_create_kprobe_multi(
    prog_fd: int,
    *,
    symbols: Sequence[str] = (),
    addresses: Sequence[int] = (),
    cookies: Sequence[int] = (),
    flags: int = 0,
    attach_type: int = AttachType.TRACE_KPROBE_MULTI,
    what: str = "",
) -> int:
    """Attach to many kernel functions at once, Linux 5.18.

    By name or by address; ``flags``: ``BPF_F_KPROBE_MULTI_RETURN`` (1). A session
    (``TRACE_KPROBE_SESSION``) since Linux 6.10.
    """
    memory = Memory()
    pointers = [memory.text(symbol) for symbol in symbols]
    tail = struct.pack(
        "=IIQQQ",
        flags,
        len(symbols) or len(addresses),
        memory.read(_u64s(pointers)),
        memory.read(_u64s(addresses)),
        memory.read(_u64s(cookies)),
    )
    return link_create(prog_fd, 0, attach_type, tail=tail, what=what)


def link_create_uprobe_multi(
    prog_fd: int,
    *,
    path: str,
    offsets: Sequence[int],
    ref_ctr_offsets: Sequence[int] = (),
    cookies: Sequence[int] = (),
    pid: int = 0,
    flags: int = 0,
    attach_type: int = AttachType.TRACE_UPROBE_MULTI,
    what: str = "",
) -> int:
    """Attach to many places in one file, Linux 6.6.

    ``offsets`` are file offsets in bytes, ``pid`` 0 for every process, ``flags``:
    ``BPF_F_UPROBE_MULTI_RETURN`` (1). A session (``TRACE_UPROBE_SESSION``) since 6.13.
    """
    memory = Memory()
    tail = struct.pack(
        "=QQQQIII",
        memory.text(path),
        memory.read(_u64s(offsets)),
        memory.read(_u64s(ref_ctr_offsets)),
        memory.read(_u64s(cookies)),
        len(offsets),
        flags,
        pid,
    )
    return link_create(prog_fd, 0, attach_type, tail=tail, what=what)


def link_create_struct_ops(map_fd: int, *, what: str = "") -> int:
    """Register a struct_ops map made with ``BPF_F_LINK``, Linux 6.4."""
    return link_create(map_fd, 0, AttachType.STRUCT_OPS, what=what)


def _u64s(values: Sequence[int]) -> bytes:
    return struct.pack(f"={len(values)}Q", *values)


def link_update(
    link_fd: int,
    new_fd: int,
    *,
    old_fd: int = 0,
    flags: int = 0,
    what: str = "",
) -> None:
    """Replace the program of a link: ``BPF_LINK_UPDATE``, Linux 5.7.

    Or the map of a struct_ops link (6.4). With ``old_fd`` only if that is the one in
    place.
    """
    if old_fd:
        flags |= BPF_F_REPLACE
    attr = bytearray(_HEAD.pack(link_fd, new_fd, flags, old_fd))
    command = Command.LINK_UPDATE
    check(command, bpf(command, attr), what or f"link fd {link_fd}")


def link_detach(link_fd: int, *, what: str = "") -> None:
    """Detach now, whoever else holds the link: ``BPF_LINK_DETACH``, Linux 5.9."""
    attr = bytearray(struct.pack("=I", link_fd))
    command = Command.LINK_DETACH
    check(command, bpf(command, attr), what or f"link fd {link_fd}")


def iter_create(link_fd: int, flags: int = 0, *, what: str = "") -> int:
    """Return an fd to read an iterator from: ``BPF_ITER_CREATE``, Linux 5.8."""
    attr = bytearray(struct.pack("=II", link_fd, flags))
    command = Command.ITER_CREATE
    return check_fd(command, bpf(command, attr), what or f"link fd {link_fd}")
