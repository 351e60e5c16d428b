"""The ``SEC()`` table: what a section's name says about the programs in it.

One row an entry of libbpf 1.8's ``section_defs``, in its order, for the first
row that matches wins. ``abc`` matches itself alone, ``abc+`` also ``abc/...``.
"""

import re
from collections.abc import Callable
from enum import IntFlag
from functools import cache
from typing import NamedTuple

from skelgen.model.attach import (
    Attach,
    Kprobe,
    KprobeMulti,
    Ksyscall,
    Manual,
    RawTracepoint,
    StructOps,
    Tracepoint,
    Tracing,
    TracingMulti,
    Uprobe,
    UprobeMulti,
    Usdt,
)
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.flags import BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS
from skelgen.near_names import near_names


class SectionMatch(NamedTuple):
    """The meaning of a section name: type, attach type and target of its programs."""

    type: ProgType
    """``UNSPEC`` when the name is in no row of the table."""
    attach_type: int
    """``expected_attach_type``."""
    attach_type_optional: bool
    """Whether 0 will do on kernels that do not know ``expected_attach_type``."""
    flags: int
    """``prog_flags``."""
    attach: Attach
    autoload: bool
    """False for ``SEC("?...")``."""
    fault: str | None = None
    """Why the text after the ``/`` is nothing to attach to; ``attach`` has none then."""


class _Flag(IntFlag):
    NONE = 0
    OPT = 1
    """The attach type may be left out on old kernels."""
    SLEEP = 2
    FRAGS = 4


_Parser = Callable[[str, str | None], Attach]


class Row(NamedTuple):
    """An entry of the table."""

    key: str
    """``abc`` or ``abc+``."""
    type: ProgType
    attach_type: int
    flags: _Flag
    parse: _Parser


def match_section(name: str) -> SectionMatch:
    """Return what ``SEC(name)`` says about a program.

    What follows the ``/`` may be nothing that can ever be attached to, as in
    ``kretprobe/f+0x10`` or ``tp/unused``: the program loads all the same, as a tail
    call's target or to be attached by hand. ``SEC("uprobe/text")`` is no fault, for
    there was a time when any text would do.
    """
    autoload = not name.startswith("?")
    name = name.removeprefix("?")
    head, slash, extra = name.partition("/")
    exact, prefixes = _index()
    row = exact.get(name)
    if row is None and slash:
        row = prefixes.get(head)
    if row is None:
        return SectionMatch(ProgType.UNSPEC, 0, False, 0, Manual(), autoload)
    flags = BPF_F_SLEEPABLE if row.flags & _Flag.SLEEP else 0
    if row.flags & _Flag.FRAGS:
        flags |= BPF_F_XDP_HAS_FRAGS
    if not row.key.endswith("+") or not slash:
        head, extra_or_none = name, None
    else:
        extra_or_none = extra
    fault = None
    try:
        attach = row.parse(head, extra_or_none)
    except _FaultError as error:
        attach = row.parse(head, None)
        fault = f'SEC("{head}/{extra}"): {error}'
    return SectionMatch(
        row.type,
        row.attach_type,
        bool(row.flags & _Flag.OPT),
        flags,
        attach,
        autoload,
        fault,
    )


def near_sections(name: str) -> list[str]:
    """Return the names that one in no row of the table may stand for, likest first.

    ``kprobes/f`` is like ``kprobe/f``; ``xdp/f``, as old sources have it, like ``xdp``.
    """
    name = name.removeprefix("?")
    head, slash, extra = name.partition("/")
    exact, prefixes = _index()
    whole = [
        key for key in exact if key not in prefixes and ("/" in key) == bool(slash)
    ]
    near = near_names(name, whole)
    if not near:
        known = [key for key in exact if key not in prefixes]
        for key in sorted(known, key=len, reverse=True):
            more = name.removeprefix(key)
            if more != name and not more[0].isalnum():
                return [key]
    # tracepoints is not tracepoint.s
    heads = [key for key in prefixes if "." in head or not key.endswith(".s")]
    more = f"/{extra}" if slash else ""
    near += [f"{key}{more}" for key in near_names(head, heads)]
    return near[:3]


class _FaultError(Exception):
    """The text after the ``/`` cannot be read; says why."""


def _manual(_head: str, _extra: str | None) -> Attach:
    return Manual()


def _struct_ops(_head: str, _extra: str | None) -> Attach:
    return StructOps()


def _tracepoint(head: str, extra: str | None) -> Attach:
    if extra is None:
        return Tracepoint()
    category, _, event = extra.partition("/")
    if not category or not event:
        raise _malformed(f"{head}/<category>/<event>")
    return Tracepoint(category, event)


def _raw_tracepoint(_head: str, extra: str | None) -> Attach:
    return RawTracepoint(extra or None)


def _tracing(_head: str, extra: str | None) -> Attach:
    if extra is None:
        return Tracing()
    module, colon, target = extra.partition(":")
    return Tracing(target, module) if colon else Tracing(extra or None)


def _tracing_multi(head: str, extra: str | None) -> Attach:
    if extra is None:
        return TracingMulti()
    if not re.fullmatch(r"[A-Za-z0-9_.*?:]+", extra):
        raise _malformed(f"{head}/[<module>:]<pattern>")
    module, colon, pattern = extra.partition(":")
    return TracingMulti(pattern, module) if colon else TracingMulti(extra)


def _kprobe(head: str, extra: str | None) -> Attach:
    retprobe = head == "kretprobe"
    if extra is None:
        return Kprobe(retprobe=retprobe)
    function, plus, number = extra.partition("+")
    if not re.fullmatch(r"[A-Za-z0-9_.]+", function) or (
        plus and not _NUMBER.fullmatch(number)
    ):
        raise _malformed(f"{head}/<function>[+<offset>]")
    offset = _offset(number, retprobe=retprobe)
    return Kprobe(function, offset, retprobe)


def _kprobe_multi(head: str, extra: str | None) -> Attach:
    retprobe = head == "kretprobe.multi"
    session = head == "kprobe.session"
    if extra is None:
        return KprobeMulti(None, retprobe, session)
    if not re.fullmatch(r"[A-Za-z0-9_.*?]+", extra):
        raise _malformed(f"{head}/<pattern>")
    return KprobeMulti(extra, retprobe, session)


def _ksyscall(head: str, extra: str | None) -> Attach:
    return Ksyscall(extra or None, head == "kretsyscall")


def _uprobe(head: str, extra: str | None) -> Attach:
    retprobe = head.startswith("uretprobe")
    if extra is None:
        return Uprobe(retprobe=retprobe)
    path, _, function = extra.partition(":")
    offset = 0
    name, plus, number = function.rpartition("+")
    if plus and _NUMBER.fullmatch(number):
        function = name
        offset = _offset(number, retprobe=retprobe)
    return Uprobe(path or None, function or None, offset, retprobe)


def _uprobe_multi(head: str, extra: str | None) -> Attach:
    retprobe = head.startswith("uretprobe")
    session = head.startswith("uprobe.session")
    path, _, pattern = (extra or "").partition(":")
    return UprobeMulti(path or None, pattern or None, retprobe, session)


def _usdt(head: str, extra: str | None) -> Attach:
    if extra is None:
        return Usdt()
    parts = extra.split(":")
    if len(parts) != 3 or not all(parts):
        raise _malformed(f"{head}/<path>:<provider>:<name>")
    return Usdt(*parts)


# strtol() with base 0, as scanf's %li reads an offset.
_NUMBER = re.compile(r"-?(?:0[xX][0-9A-Fa-f]{1,16}|0[0-7]*|[1-9][0-9]{0,19})")


def _offset(number: str, *, retprobe: bool) -> int:
    """Return the offset of a probe, 0 if none is given."""
    sign = -1 if number.startswith("-") else 1
    digits = number.removeprefix("-") or "0"
    if digits[:2] in {"0x", "0X"}:
        offset = sign * int(digits, 16)
    else:
        offset = sign * int(digits, 8 if digits.startswith("0") else 10)
    if retprobe and offset:
        raise _FaultError("a return probe takes no offset")
    if not 0 <= offset < 1 << 63:
        raise _FaultError(f"offset {offset} is out of range")
    return offset


def _malformed(wanted: str) -> _FaultError:
    return _FaultError(f'does not read SEC("{wanted}")')


_P = ProgType
_A = AttachType
_NONE, _OPT, _SLEEP, _FRAGS = _Flag.NONE, _Flag.OPT, _Flag.SLEEP, _Flag.FRAGS


@cache
def _index() -> tuple[dict[str, Row], dict[str, Row]]:
    """Rows by whole name, and those of ``abc+`` by what precedes the ``/``."""
    exact: dict[str, Row] = {}
    prefixes: dict[str, Row] = {}
    for row in SECTIONS:
        exact.setdefault(row.key.removesuffix("+"), row)
        if row.key.endswith("+"):
            prefixes.setdefault(row.key.removesuffix("+"), row)
    return exact, prefixes


# fmt: off
SECTIONS: tuple[Row, ...] = (
    Row("socket", _P.SOCKET_FILTER, 0, _NONE, _manual),
    Row("sk_reuseport/migrate", _P.SK_REUSEPORT, _A.SK_REUSEPORT_SELECT_OR_MIGRATE, _NONE, _manual),
    Row("sk_reuseport", _P.SK_REUSEPORT, _A.SK_REUSEPORT_SELECT, _NONE, _manual),
    Row("kprobe+", _P.KPROBE, 0, _NONE, _kprobe),
    Row("uprobe+", _P.KPROBE, 0, _NONE, _uprobe),
    Row("uprobe.s+", _P.KPROBE, 0, _SLEEP, _uprobe),
    Row("kretprobe+", _P.KPROBE, 0, _NONE, _kprobe),
    Row("uretprobe+", _P.KPROBE, 0, _NONE, _uprobe),
    Row("uretprobe.s+", _P.KPROBE, 0, _SLEEP, _uprobe),
    Row("kprobe.multi+", _P.KPROBE, _A.TRACE_KPROBE_MULTI, _NONE, _kprobe_multi),
    Row("kretprobe.multi+", _P.KPROBE, _A.TRACE_KPROBE_MULTI, _NONE, _kprobe_multi),
    Row("kprobe.session+", _P.KPROBE, _A.TRACE_KPROBE_SESSION, _NONE, _kprobe_multi),
    Row("uprobe.multi+", _P.KPROBE, _A.TRACE_UPROBE_MULTI, _NONE, _uprobe_multi),
    Row("uretprobe.multi+", _P.KPROBE, _A.TRACE_UPROBE_MULTI, _NONE, _uprobe_multi),
    Row("uprobe.session+", _P.KPROBE, _A.TRACE_UPROBE_SESSION, _NONE, _uprobe_multi),
    Row("uprobe.multi.s+", _P.KPROBE, _A.TRACE_UPROBE_MULTI, _SLEEP, _uprobe_multi),
    Row("uretprobe.multi.s+", _P.KPROBE, _A.TRACE_UPROBE_MULTI, _SLEEP, _uprobe_multi),
    Row("uprobe.session.s+", _P.KPROBE, _A.TRACE_UPROBE_SESSION, _SLEEP, _uprobe_multi),
    Row("ksyscall+", _P.KPROBE, 0, _NONE, _ksyscall),
    Row("kretsyscall+", _P.KPROBE, 0, _NONE, _ksyscall),
    Row("usdt+", _P.KPROBE, 0, _NONE, _usdt),
    Row("usdt.s+", _P.KPROBE, 0, _SLEEP, _usdt),
    Row("tc/ingress", _P.SCHED_CLS, _A.TCX_INGRESS, _NONE, _manual),
    Row("tc/egress", _P.SCHED_CLS, _A.TCX_EGRESS, _NONE, _manual),
    Row("tcx/ingress", _P.SCHED_CLS, _A.TCX_INGRESS, _NONE, _manual),
    Row("tcx/egress", _P.SCHED_CLS, _A.TCX_EGRESS, _NONE, _manual),
    Row("tc", _P.SCHED_CLS, 0, _NONE, _manual),
    Row("classifier", _P.SCHED_CLS, 0, _NONE, _manual),
    Row("action", _P.SCHED_ACT, 0, _NONE, _manual),
    Row("netkit/primary", _P.SCHED_CLS, _A.NETKIT_PRIMARY, _NONE, _manual),
    Row("netkit/peer", _P.SCHED_CLS, _A.NETKIT_PEER, _NONE, _manual),
    Row("tracepoint+", _P.TRACEPOINT, 0, _NONE, _tracepoint),
    Row("tp+", _P.TRACEPOINT, 0, _NONE, _tracepoint),
    Row("tracepoint.s+", _P.TRACEPOINT, 0, _SLEEP, _tracepoint),
    Row("tp.s+", _P.TRACEPOINT, 0, _SLEEP, _tracepoint),
    Row("raw_tracepoint+", _P.RAW_TRACEPOINT, 0, _NONE, _raw_tracepoint),
    Row("raw_tp+", _P.RAW_TRACEPOINT, 0, _NONE, _raw_tracepoint),
    Row("raw_tracepoint.s+", _P.RAW_TRACEPOINT, 0, _SLEEP, _raw_tracepoint),
    Row("raw_tp.s+", _P.RAW_TRACEPOINT, 0, _SLEEP, _raw_tracepoint),
    Row("raw_tracepoint.w+", _P.RAW_TRACEPOINT_WRITABLE, 0, _NONE, _raw_tracepoint),
    Row("raw_tp.w+", _P.RAW_TRACEPOINT_WRITABLE, 0, _NONE, _raw_tracepoint),
    Row("tp_btf+", _P.TRACING, _A.TRACE_RAW_TP, _NONE, _tracing),
    Row("tp_btf.s+", _P.TRACING, _A.TRACE_RAW_TP, _SLEEP, _tracing),
    Row("fentry+", _P.TRACING, _A.TRACE_FENTRY, _NONE, _tracing),
    Row("fmod_ret+", _P.TRACING, _A.MODIFY_RETURN, _NONE, _tracing),
    Row("fexit+", _P.TRACING, _A.TRACE_FEXIT, _NONE, _tracing),
    Row("fentry.s+", _P.TRACING, _A.TRACE_FENTRY, _SLEEP, _tracing),
    Row("fmod_ret.s+", _P.TRACING, _A.MODIFY_RETURN, _SLEEP, _tracing),
    Row("fexit.s+", _P.TRACING, _A.TRACE_FEXIT, _SLEEP, _tracing),
    Row("fsession+", _P.TRACING, _A.TRACE_FSESSION, _NONE, _tracing),
    Row("fsession.s+", _P.TRACING, _A.TRACE_FSESSION, _SLEEP, _tracing),
    Row("fsession.multi+", _P.TRACING, _A.TRACE_FSESSION_MULTI, _NONE, _tracing_multi),
    Row("fsession.multi.s+", _P.TRACING, _A.TRACE_FSESSION_MULTI, _SLEEP, _tracing_multi),
    Row("fentry.multi+", _P.TRACING, _A.TRACE_FENTRY_MULTI, _NONE, _tracing_multi),
    Row("fexit.multi+", _P.TRACING, _A.TRACE_FEXIT_MULTI, _NONE, _tracing_multi),
    Row("fentry.multi.s+", _P.TRACING, _A.TRACE_FENTRY_MULTI, _SLEEP, _tracing_multi),
    Row("fexit.multi.s+", _P.TRACING, _A.TRACE_FEXIT_MULTI, _SLEEP, _tracing_multi),
    Row("freplace+", _P.EXT, 0, _NONE, _tracing),
    Row("lsm+", _P.LSM, _A.LSM_MAC, _NONE, _tracing),
    Row("lsm.s+", _P.LSM, _A.LSM_MAC, _SLEEP, _tracing),
    Row("lsm_cgroup+", _P.LSM, _A.LSM_CGROUP, _NONE, _tracing),
    Row("iter+", _P.TRACING, _A.TRACE_ITER, _NONE, _tracing),
    Row("iter.s+", _P.TRACING, _A.TRACE_ITER, _SLEEP, _tracing),
    Row("syscall", _P.SYSCALL, 0, _SLEEP, _manual),
    Row("xdp.frags/devmap", _P.XDP, _A.XDP_DEVMAP, _FRAGS, _manual),
    Row("xdp/devmap", _P.XDP, _A.XDP_DEVMAP, _NONE, _manual),
    Row("xdp.frags/cpumap", _P.XDP, _A.XDP_CPUMAP, _FRAGS, _manual),
    Row("xdp/cpumap", _P.XDP, _A.XDP_CPUMAP, _NONE, _manual),
    Row("xdp.frags", _P.XDP, _A.XDP, _FRAGS, _manual),
    Row("xdp", _P.XDP, _A.XDP, _OPT, _manual),
    Row("perf_event", _P.PERF_EVENT, 0, _NONE, _manual),
    Row("lwt_in", _P.LWT_IN, 0, _NONE, _manual),
    Row("lwt_out", _P.LWT_OUT, 0, _NONE, _manual),
    Row("lwt_xmit", _P.LWT_XMIT, 0, _NONE, _manual),
    Row("lwt_seg6local", _P.LWT_SEG6LOCAL, 0, _NONE, _manual),
    Row("sockops", _P.SOCK_OPS, _A.CGROUP_SOCK_OPS, _OPT, _manual),
    Row("sk_skb/stream_parser", _P.SK_SKB, _A.SK_SKB_STREAM_PARSER, _OPT, _manual),
    Row("sk_skb/stream_verdict", _P.SK_SKB, _A.SK_SKB_STREAM_VERDICT, _OPT, _manual),
    Row("sk_skb/verdict", _P.SK_SKB, _A.SK_SKB_VERDICT, _OPT, _manual),
    Row("sk_skb", _P.SK_SKB, 0, _NONE, _manual),
    Row("sk_msg", _P.SK_MSG, _A.SK_MSG_VERDICT, _OPT, _manual),
    Row("lirc_mode2", _P.LIRC_MODE2, _A.LIRC_MODE2, _OPT, _manual),
    Row("flow_dissector", _P.FLOW_DISSECTOR, _A.FLOW_DISSECTOR, _OPT, _manual),
    Row("cgroup_skb/ingress", _P.CGROUP_SKB, _A.CGROUP_INET_INGRESS, _OPT, _manual),
    Row("cgroup_skb/egress", _P.CGROUP_SKB, _A.CGROUP_INET_EGRESS, _OPT, _manual),
    Row("cgroup/skb", _P.CGROUP_SKB, 0, _NONE, _manual),
    Row("cgroup/sock_create", _P.CGROUP_SOCK, _A.CGROUP_INET_SOCK_CREATE, _NONE, _manual),
    Row("cgroup/sock_release", _P.CGROUP_SOCK, _A.CGROUP_INET_SOCK_RELEASE, _NONE, _manual),
    Row("cgroup/sock", _P.CGROUP_SOCK, _A.CGROUP_INET_SOCK_CREATE, _OPT, _manual),
    Row("cgroup/post_bind4", _P.CGROUP_SOCK, _A.CGROUP_INET4_POST_BIND, _NONE, _manual),
    Row("cgroup/post_bind6", _P.CGROUP_SOCK, _A.CGROUP_INET6_POST_BIND, _NONE, _manual),
    Row("cgroup/bind4", _P.CGROUP_SOCK_ADDR, _A.CGROUP_INET4_BIND, _NONE, _manual),
    Row("cgroup/bind6", _P.CGROUP_SOCK_ADDR, _A.CGROUP_INET6_BIND, _NONE, _manual),
    Row("cgroup/connect4", _P.CGROUP_SOCK_ADDR, _A.CGROUP_INET4_CONNECT, _NONE, _manual),
    Row("cgroup/connect6", _P.CGROUP_SOCK_ADDR, _A.CGROUP_INET6_CONNECT, _NONE, _manual),
    Row("cgroup/connect_unix", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UNIX_CONNECT, _NONE, _manual),
    Row("cgroup/sendmsg4", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UDP4_SENDMSG, _NONE, _manual),
    Row("cgroup/sendmsg6", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UDP6_SENDMSG, _NONE, _manual),
    Row("cgroup/sendmsg_unix", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UNIX_SENDMSG, _NONE, _manual),
    Row("cgroup/recvmsg4", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UDP4_RECVMSG, _NONE, _manual),
    Row("cgroup/recvmsg6", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UDP6_RECVMSG, _NONE, _manual),
    Row("cgroup/recvmsg_unix", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UNIX_RECVMSG, _NONE, _manual),
    Row("cgroup/getpeername4", _P.CGROUP_SOCK_ADDR, _A.CGROUP_INET4_GETPEERNAME, _NONE, _manual),
    Row("cgroup/getpeername6", _P.CGROUP_SOCK_ADDR, _A.CGROUP_INET6_GETPEERNAME, _NONE, _manual),
    Row("cgroup/getpeername_unix", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UNIX_GETPEERNAME, _NONE, _manual),
    Row("cgroup/getsockname4", _P.CGROUP_SOCK_ADDR, _A.CGROUP_INET4_GETSOCKNAME, _NONE, _manual),
    Row("cgroup/getsockname6", _P.CGROUP_SOCK_ADDR, _A.CGROUP_INET6_GETSOCKNAME, _NONE, _manual),
    Row("cgroup/getsockname_unix", _P.CGROUP_SOCK_ADDR, _A.CGROUP_UNIX_GETSOCKNAME, _NONE, _manual),
    Row("cgroup/sysctl", _P.CGROUP_SYSCTL, _A.CGROUP_SYSCTL, _NONE, _manual),
    Row("cgroup/getsockopt", _P.CGROUP_SOCKOPT, _A.CGROUP_GETSOCKOPT, _NONE, _manual),
    Row("cgroup/setsockopt", _P.CGROUP_SOCKOPT, _A.CGROUP_SETSOCKOPT, _NONE, _manual),
    Row("cgroup/dev", _P.CGROUP_DEVICE, _A.CGROUP_DEVICE, _OPT, _manual),
    Row("struct_ops+", _P.STRUCT_OPS, 0, _NONE, _struct_ops),
    Row("struct_ops.s+", _P.STRUCT_OPS, 0, _SLEEP, _struct_ops),
    Row("sk_lookup", _P.SK_LOOKUP, _A.SK_LOOKUP, _NONE, _manual),
    Row("netfilter", _P.NETFILTER, _A.NETFILTER, _NONE, _manual),
)
# fmt: on
