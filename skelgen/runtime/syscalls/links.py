"""``bpf(2)`` commands on links. Layouts: ``union bpf_attr``, ``linux/bpf.h``."""

from __future__ import annotations

import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import number, numbers, readable, sequence
from skelgen.model.enums import AttachType, Command
from skelgen.model.flags import BPF_F_REPLACE, BPF_F_UPROBE_MULTI_PATH_FD
from skelgen.runtime.syscalls.buffers import Buffer, Memory
from skelgen.runtime.syscalls.call import bpf, check
from skelgen.runtime.syscalls.fd import check_fd
from skelgen.runtime.syscalls.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_CREATE: Final = Layout("=IIII", "prog_fd target attach_type flags")
_UPDATE: Final = Layout("=IIII", "link_fd new_fd flags old_fd")
_COOKIE: Final = Layout("=Q", "cookie")
_TRACING: Final = Layout("=IxxxxQ", "target_btf_id cookie")
_ITER: Final = Layout("=QI", "info info")
_ORDER_FD: Final = Layout("=IxxxxQ", "relative_fd expected_revision")
_ORDER_ID: Final = Layout("=IxxxxQ", "relative_id expected_revision")
_NETFILTER: Final = Layout("=IIiI", "family hook priority flags")
_KPROBES: Final = Layout("=IIQQQ", "flags symbols symbols addresses cookies")
_UPROBES: Final = Layout(
    "=QQQQIIII", "path offsets ref_ctr_offsets cookies offsets flags pid path_fd"
)
_DETACH: Final = Layout("=I", "link_fd")
_RUN: Final = Layout("=II", "link_fd flags")
_U32: Final = (0, (1 << 32) - 1)
_U64: Final = (0, (1 << 64) - 1)


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
    attr = bytearray(
        _CREATE.pack(what, prog_fd, target, attach_type, flags)
        + readable(tail, "tail", what)
    )
    command = Command.LINK_CREATE
    return check_fd(command, bpf(command, attr), what or f"program fd {prog_fd}")


def link_create_perf_event(
    prog_fd: int, perf_fd: int, *, cookie: int = 0, what: str = ""
) -> int:
    """Attach to a perf event (tracepoint, kprobe, uprobe, counter), Linux 5.15."""
    return link_create(
        prog_fd,
        number(perf_fd, "perf_fd", _U32, what),
        AttachType.PERF_EVENT,
        tail=_COOKIE.pack(what, cookie),
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
    tail = _TRACING.pack(what, target_btf_id, cookie)
    target_fd = number(target_fd, "target_fd", _U32, what)
    return link_create(prog_fd, target_fd, attach_type, tail=tail, what=what)


def link_create_iter(
    prog_fd: int, *, info: Buffer = b"", flags: int = 0, what: str = ""
) -> int:
    """Attach an iterator, Linux 5.8; ``info`` is a ``union bpf_iter_link_info``."""
    memory = Memory()
    tail = _ITER.pack(what, memory.read(readable(info, "info", what)), len(info))
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
    tail = (
        _ORDER_FD.pack(what, relative_fd, expected_revision)
        if relative_fd
        else _ORDER_ID.pack(what, relative_id, expected_revision)
    )
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
    tail = _NETFILTER.pack(what, family, hook, priority, flags)
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
    names = sequence(symbols, "symbols", what)
    pointers = [memory.text(name, "symbols", what) for name in names]
    places = _u64s(addresses, "addresses", what)
    tail = _KPROBES.pack(
        what,
        flags,
        len(names) or len(places) // 8,
        memory.read(_u64s(pointers, "symbols", what)),
        memory.read(places),
        memory.read(_u64s(cookies, "cookies", what)),
    )
    return link_create(prog_fd, 0, attach_type, tail=tail, what=what)


def link_create_uprobe_multi(
    prog_fd: int,
    *,
    path: str = "",
    path_fd: int | None = None,
    offsets: Sequence[int],
    ref_ctr_offsets: Sequence[int] = (),
    cookies: Sequence[int] = (),
    pid: int = 0,
    flags: int = 0,
    attach_type: int = AttachType.TRACE_UPROBE_MULTI,
    what: str = "",
) -> int:
    """Attach to many places in one file, Linux 6.6.

    The file is at ``path``; or it is the one that is open as ``path_fd``, which is not
    ``O_PATH`` (``BPF_F_UPROBE_MULTI_PATH_FD``, Linux 7.2). ``offsets`` are file offsets
    in bytes, ``pid`` 0 for every process, ``flags``: ``BPF_F_UPROBE_MULTI_RETURN`` (1).
    A session (``TRACE_UPROBE_SESSION``) since 6.13.
    """
    memory = Memory()
    places = _u64s(offsets, "offsets", what)
    if path_fd is not None:
        flags = number(flags, "flags", _U32, what) | BPF_F_UPROBE_MULTI_PATH_FD
    tail = _UPROBES.pack(
        what,
        memory.text(path, "path", what) if path_fd is None else 0,
        memory.read(places),
        memory.read(_u64s(ref_ctr_offsets, "ref_ctr_offsets", what)),
        memory.read(_u64s(cookies, "cookies", what)),
        len(places) // 8,
        flags,
        pid,
        path_fd or 0,
    )
    return link_create(prog_fd, 0, attach_type, tail=tail, what=what)


def link_create_struct_ops(map_fd: int, *, what: str = "") -> int:
    """Register a struct_ops map made with ``BPF_F_LINK``, Linux 6.4."""
    map_fd = number(map_fd, "map_fd", _U32, what)
    return link_create(map_fd, 0, AttachType.STRUCT_OPS, what=what)


def _u64s(values: Sequence[int], name: str, what: str) -> bytes:
    found = numbers(values, name, _U64, what)
    return struct.pack(f"={len(found)}Q", *found)


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
        flags = number(flags, "flags", _U32, what) | BPF_F_REPLACE
    attr = bytearray(_UPDATE.pack(what, link_fd, new_fd, flags, old_fd))
    command = Command.LINK_UPDATE
    check(command, bpf(command, attr), what or f"link fd {link_fd}")


def link_detach(link_fd: int, *, what: str = "") -> None:
    """Detach now, whoever else holds the link: ``BPF_LINK_DETACH``, Linux 5.9."""
    attr = bytearray(_DETACH.pack(what, link_fd))
    command = Command.LINK_DETACH
    check(command, bpf(command, attr), what or f"link fd {link_fd}")


def iter_create(link_fd: int, flags: int = 0, *, what: str = "") -> int:
    """Return an fd to read an iterator from: ``BPF_ITER_CREATE``, Linux 5.8."""
    attr = bytearray(_RUN.pack(what, link_fd, flags))
    command = Command.ITER_CREATE
    return check_fd(command, bpf(command, attr), what or f"link fd {link_fd}")
