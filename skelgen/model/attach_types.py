"""Facts about attach types: one row a type."""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, MapType, ProgType

if TYPE_CHECKING:
    from typing import Final


class AttachTypeRow(Record):
    """A way to attach programs."""

    since: str
    """First mainline kernel that has its number, for messages; a BPF link for it may be
    newer. Empty for a type newer than this table."""
    program: int
    """Type of the programs that are attached so; one of several for ``PERF_EVENT``."""
    family: str = ""
    """Class of the runtime, where it is not that of the program type."""
    called: str = ""
    """The word of messages for it, where that is not its name."""
    option: str = ""
    """Option without which a kernel that knows the type answers ``EOPNOTSUPP``."""
    in_map: int = 0
    """Type of the map whose elements name such programs."""


_A = AttachType
_P = ProgType
_M = MapType
# fmt: off
ROWS: Final[dict[int, AttachTypeRow]] = {
    _A.CGROUP_INET_INGRESS: AttachTypeRow("4.10", _P.CGROUP_SKB),
    _A.CGROUP_INET_EGRESS: AttachTypeRow("4.10", _P.CGROUP_SKB),
    _A.CGROUP_INET_SOCK_CREATE: AttachTypeRow("4.10", _P.CGROUP_SOCK),
    _A.CGROUP_SOCK_OPS: AttachTypeRow("4.13", _P.SOCK_OPS),
    _A.SK_SKB_STREAM_PARSER: AttachTypeRow("4.14", _P.SK_SKB),
    _A.SK_SKB_STREAM_VERDICT: AttachTypeRow("4.14", _P.SK_SKB),
    _A.CGROUP_DEVICE: AttachTypeRow("4.15", _P.CGROUP_DEVICE),
    _A.SK_MSG_VERDICT: AttachTypeRow("4.17", _P.SK_MSG),
    _A.CGROUP_INET4_BIND: AttachTypeRow("4.17", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_INET6_BIND: AttachTypeRow("4.17", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_INET4_CONNECT: AttachTypeRow("4.17", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_INET6_CONNECT: AttachTypeRow("4.17", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_INET4_POST_BIND: AttachTypeRow("4.17", _P.CGROUP_SOCK),
    _A.CGROUP_INET6_POST_BIND: AttachTypeRow("4.17", _P.CGROUP_SOCK),
    _A.CGROUP_UDP4_SENDMSG: AttachTypeRow("4.18", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_UDP6_SENDMSG: AttachTypeRow("4.18", _P.CGROUP_SOCK_ADDR),
    _A.LIRC_MODE2: AttachTypeRow("4.18", _P.LIRC_MODE2),
    _A.FLOW_DISSECTOR: AttachTypeRow("4.20", _P.FLOW_DISSECTOR),
    _A.CGROUP_SYSCTL: AttachTypeRow("5.2", _P.CGROUP_SYSCTL),
    _A.CGROUP_UDP4_RECVMSG: AttachTypeRow("5.2", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_UDP6_RECVMSG: AttachTypeRow("5.2", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_GETSOCKOPT: AttachTypeRow("5.3", _P.CGROUP_SOCKOPT),
    _A.CGROUP_SETSOCKOPT: AttachTypeRow("5.3", _P.CGROUP_SOCKOPT),
    _A.TRACE_RAW_TP: AttachTypeRow("5.5", _P.TRACING, called="tp_btf"),
    _A.TRACE_FENTRY: AttachTypeRow("5.5", _P.TRACING, called="fentry"),
    _A.TRACE_FEXIT: AttachTypeRow("5.5", _P.TRACING, called="fexit"),
    _A.MODIFY_RETURN: AttachTypeRow("5.7", _P.TRACING, called="fmod_ret"),
    _A.LSM_MAC: AttachTypeRow("5.7", _P.LSM, called="lsm"),
    _A.TRACE_ITER: AttachTypeRow("5.8", _P.TRACING, family="IterProgram", called="iterators"),
    _A.CGROUP_INET4_GETPEERNAME: AttachTypeRow("5.8", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_INET6_GETPEERNAME: AttachTypeRow("5.8", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_INET4_GETSOCKNAME: AttachTypeRow("5.8", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_INET6_GETSOCKNAME: AttachTypeRow("5.8", _P.CGROUP_SOCK_ADDR),
    _A.XDP_DEVMAP: AttachTypeRow("5.8", _P.XDP, in_map=_M.DEVMAP),
    _A.CGROUP_INET_SOCK_RELEASE: AttachTypeRow("5.9", _P.CGROUP_SOCK),
    _A.XDP_CPUMAP: AttachTypeRow("5.9", _P.XDP, in_map=_M.CPUMAP),
    _A.SK_LOOKUP: AttachTypeRow("5.9", _P.SK_LOOKUP),
    _A.XDP: AttachTypeRow("5.9", _P.XDP),
    _A.SK_SKB_VERDICT: AttachTypeRow("5.13", _P.SK_SKB),
    _A.SK_REUSEPORT_SELECT: AttachTypeRow("5.14", _P.SK_REUSEPORT),
    _A.SK_REUSEPORT_SELECT_OR_MIGRATE: AttachTypeRow("5.14", _P.SK_REUSEPORT),
    _A.PERF_EVENT: AttachTypeRow("5.15", _P.TRACEPOINT),
    _A.TRACE_KPROBE_MULTI: AttachTypeRow("5.18", _P.KPROBE, called="kprobe.multi", option="CONFIG_FPROBE"),
    _A.LSM_CGROUP: AttachTypeRow("6.0", _P.LSM, family="CgroupProgram", called="lsm_cgroup"),
    _A.STRUCT_OPS: AttachTypeRow("6.4", _P.STRUCT_OPS),
    _A.NETFILTER: AttachTypeRow("6.4", _P.NETFILTER),
    _A.TCX_INGRESS: AttachTypeRow("6.6", _P.SCHED_CLS),
    _A.TCX_EGRESS: AttachTypeRow("6.6", _P.SCHED_CLS),
    _A.TRACE_UPROBE_MULTI: AttachTypeRow("6.6", _P.KPROBE, called="uprobe.multi", option="CONFIG_UPROBES"),
    _A.CGROUP_UNIX_CONNECT: AttachTypeRow("6.7", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_UNIX_SENDMSG: AttachTypeRow("6.7", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_UNIX_RECVMSG: AttachTypeRow("6.7", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_UNIX_GETPEERNAME: AttachTypeRow("6.7", _P.CGROUP_SOCK_ADDR),
    _A.CGROUP_UNIX_GETSOCKNAME: AttachTypeRow("6.7", _P.CGROUP_SOCK_ADDR),
    _A.NETKIT_PRIMARY: AttachTypeRow("6.7", _P.SCHED_CLS),
    _A.NETKIT_PEER: AttachTypeRow("6.7", _P.SCHED_CLS),
    _A.TRACE_KPROBE_SESSION: AttachTypeRow("6.10", _P.KPROBE, called="kprobe.session", option="CONFIG_FPROBE"),
    _A.TRACE_UPROBE_SESSION: AttachTypeRow("6.13", _P.KPROBE, called="uprobe.session", option="CONFIG_UPROBES"),
    _A.TRACE_FSESSION: AttachTypeRow("7.0", _P.TRACING, called="fsession"),
    _A.TRACE_FENTRY_MULTI: AttachTypeRow("7.2", _P.TRACING, called="fentry.multi"),
    _A.TRACE_FEXIT_MULTI: AttachTypeRow("7.2", _P.TRACING, called="fexit.multi"),
    _A.TRACE_FSESSION_MULTI: AttachTypeRow("7.2", _P.TRACING, called="fsession.multi"),
}
# fmt: on
_UNKNOWN: Final = AttachTypeRow("", ProgType.UNSPEC)


def row(number: int) -> AttachTypeRow:
    """Return the row of an attach type; for a newer type one that says nothing."""
    return ROWS.get(number, _UNKNOWN)
