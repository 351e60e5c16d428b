"""Facts about program types, one row a type, and the class that a program has.

Distributions port types back, so ``since`` is for messages and documentation, never for
deciding what a kernel can do.
"""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model import attach, attach_types
from skelgen.model.enums import AttachType, ProgType

if TYPE_CHECKING:
    from typing import Final

    from skelgen.model.spec import ProgramSpec


class ProgTypeRow(Record):
    """A type of program."""

    since: str
    """First mainline kernel that has it; empty for a type newer than this table."""
    family: str = "Program"
    """Class of the runtime, where neither section name nor attach type decides."""
    context: str = ""
    """Struct of ``linux/bpf.h`` or the kernel that R1 points to at the start."""
    btf_context: bool = False
    """Whether the context has 8 bytes an argument, whose types are in BTF."""
    target: bool = False
    """Whether it is loaded for a target in BTF, ``attach_btf_id``."""
    load_attach_type: int = 0
    """An attach type to load it with; 0 where the kernel wants none."""
    packet: bool = False
    """Whether ``BPF_PROG_TEST_RUN`` runs it on a packet."""
    perfmon: bool = False
    """Whether ``CAP_PERFMON`` is needed, ``is_perfmon_prog_type()`` of the kernel."""
    net_admin: bool = False
    """Whether ``CAP_NET_ADMIN`` is needed, ``is_net_admin_prog_type()``."""
    option: str = ""
    """Option that even a kernel that is new enough has to be built with."""


_P = ProgType
_A = AttachType
# fmt: off
ROWS: Final[dict[int, ProgTypeRow]] = {
    _P.SOCKET_FILTER: ProgTypeRow("3.19", "SocketProgram", context="__sk_buff", packet=True),
    _P.KPROBE: ProgTypeRow("4.1", context="pt_regs", perfmon=True, option="CONFIG_BPF_EVENTS"),
    _P.SCHED_CLS: ProgTypeRow("4.1", "TcProgram", context="__sk_buff", packet=True, net_admin=True),
    _P.SCHED_ACT: ProgTypeRow("4.1", "TcProgram", context="__sk_buff", packet=True, net_admin=True),
    _P.TRACEPOINT: ProgTypeRow("4.7", perfmon=True, option="CONFIG_BPF_EVENTS"),
    _P.XDP: ProgTypeRow("4.8", "XdpProgram", context="xdp_md", packet=True, net_admin=True),
    _P.PERF_EVENT: ProgTypeRow("4.9", "PerfEventProgram", context="bpf_perf_event_data", perfmon=True, option="CONFIG_BPF_EVENTS"),
    _P.CGROUP_SKB: ProgTypeRow("4.10", "CgroupProgram", context="__sk_buff", packet=True),
    _P.CGROUP_SOCK: ProgTypeRow("4.10", "CgroupProgram", context="bpf_sock", net_admin=True),
    _P.LWT_IN: ProgTypeRow("4.10", context="__sk_buff", packet=True, net_admin=True),
    _P.LWT_OUT: ProgTypeRow("4.10", context="__sk_buff", packet=True, net_admin=True),
    _P.LWT_XMIT: ProgTypeRow("4.10", context="__sk_buff", packet=True, net_admin=True),
    _P.SOCK_OPS: ProgTypeRow("4.13", "CgroupProgram", context="bpf_sock_ops", net_admin=True),
    _P.SK_SKB: ProgTypeRow("4.14", "SockmapProgram", context="__sk_buff", net_admin=True),
    _P.CGROUP_DEVICE: ProgTypeRow("4.15", "CgroupProgram", context="bpf_cgroup_dev_ctx", net_admin=True),
    _P.SK_MSG: ProgTypeRow("4.17", "SockmapProgram", context="sk_msg_md", net_admin=True),
    _P.RAW_TRACEPOINT: ProgTypeRow("4.17", context="bpf_raw_tracepoint_args", perfmon=True, option="CONFIG_BPF_EVENTS"),
    _P.CGROUP_SOCK_ADDR: ProgTypeRow("4.17", "CgroupProgram", context="bpf_sock_addr", load_attach_type=_A.CGROUP_INET4_CONNECT, net_admin=True),
    _P.LWT_SEG6LOCAL: ProgTypeRow("4.18", context="__sk_buff", packet=True, net_admin=True),
    _P.LIRC_MODE2: ProgTypeRow("4.18", load_attach_type=_A.LIRC_MODE2, net_admin=True, option="CONFIG_BPF_LIRC_MODE2"),
    _P.SK_REUSEPORT: ProgTypeRow("4.19", "SocketProgram", context="sk_reuseport_md"),
    _P.FLOW_DISSECTOR: ProgTypeRow("4.20", "NetnsProgram", context="__sk_buff", packet=True, net_admin=True),
    _P.CGROUP_SYSCTL: ProgTypeRow("5.2", "CgroupProgram", context="bpf_sysctl", net_admin=True),
    _P.RAW_TRACEPOINT_WRITABLE: ProgTypeRow("5.2", context="bpf_raw_tracepoint_args", perfmon=True, option="CONFIG_BPF_EVENTS"),
    _P.CGROUP_SOCKOPT: ProgTypeRow("5.3", "CgroupProgram", context="bpf_sockopt", load_attach_type=_A.CGROUP_GETSOCKOPT, net_admin=True),
    _P.TRACING: ProgTypeRow("5.5", "TracingProgram", btf_context=True, target=True, load_attach_type=_A.TRACE_RAW_TP, perfmon=True, option="CONFIG_BPF_EVENTS"),
    _P.STRUCT_OPS: ProgTypeRow("5.6", btf_context=True, perfmon=True, option="CONFIG_BPF_JIT"),
    _P.EXT: ProgTypeRow("5.6", "ExtensionProgram", btf_context=True, target=True, perfmon=True, net_admin=True, option="CONFIG_BPF_JIT"),
    _P.LSM: ProgTypeRow("5.7", "LsmProgram", btf_context=True, target=True, load_attach_type=_A.LSM_MAC, perfmon=True, option="CONFIG_BPF_LSM"),
    _P.SK_LOOKUP: ProgTypeRow("5.9", "NetnsProgram", context="bpf_sk_lookup", load_attach_type=_A.SK_LOOKUP, net_admin=True),
    _P.SYSCALL: ProgTypeRow("5.14", "SyscallProgram"),
    _P.NETFILTER: ProgTypeRow("6.4", "NetfilterProgram", context="bpf_nf_ctx", load_attach_type=_A.NETFILTER, packet=True, net_admin=True, option="CONFIG_NETFILTER_BPF_LINK"),
}
# fmt: on
_UNKNOWN: Final = ProgTypeRow("")

MEANINGS: Final[dict[type, str]] = {
    attach.Tracepoint: "TracepointProgram",
    attach.RawTracepoint: "RawTracepointProgram",
    attach.TracingMulti: "Program",
    attach.Kprobe: "KprobeProgram",
    attach.KprobeMulti: "KprobeMultiProgram",
    attach.Ksyscall: "KsyscallProgram",
    attach.Uprobe: "UprobeProgram",
    attach.UprobeMulti: "UprobeMultiProgram",
    attach.Usdt: "UsdtProgram",
    attach.StructOps: "StructOpsProgram",
}
"""Classes of the runtime by the meaning of the section name."""


def row(number: int) -> ProgTypeRow:
    """Return the row of a program type; for a newer type one that says nothing."""
    return ROWS.get(number, _UNKNOWN)


def program_class_name(spec: ProgramSpec) -> str:
    """Return the name of the class that a program has in the runtime."""
    return (
        MEANINGS.get(type(spec.attach))
        or attach_types.row(spec.attach_type).family
        or row(spec.type).family
    )
