"""The context of each program type: which struct it is, and what is where in it."""

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.resolve import size_of, skip_mods_and_typedefs
from skelgen.btf.types import Array, Struct, Union
from skelgen.model.enums import ProgType

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf

_DEPTH = 16

STRUCTS: dict[int, str] = {
    ProgType.SOCKET_FILTER: "__sk_buff",
    ProgType.KPROBE: "pt_regs",
    ProgType.SCHED_CLS: "__sk_buff",
    ProgType.SCHED_ACT: "__sk_buff",
    ProgType.XDP: "xdp_md",
    ProgType.PERF_EVENT: "bpf_perf_event_data",
    ProgType.CGROUP_SKB: "__sk_buff",
    ProgType.CGROUP_SOCK: "bpf_sock",
    ProgType.LWT_IN: "__sk_buff",
    ProgType.LWT_OUT: "__sk_buff",
    ProgType.LWT_XMIT: "__sk_buff",
    ProgType.SOCK_OPS: "bpf_sock_ops",
    ProgType.SK_SKB: "__sk_buff",
    ProgType.CGROUP_DEVICE: "bpf_cgroup_dev_ctx",
    ProgType.SK_MSG: "sk_msg_md",
    ProgType.RAW_TRACEPOINT: "bpf_raw_tracepoint_args",
    ProgType.CGROUP_SOCK_ADDR: "bpf_sock_addr",
    ProgType.LWT_SEG6LOCAL: "__sk_buff",
    ProgType.SK_REUSEPORT: "sk_reuseport_md",
    ProgType.FLOW_DISSECTOR: "__sk_buff",
    ProgType.CGROUP_SYSCTL: "bpf_sysctl",
    ProgType.RAW_TRACEPOINT_WRITABLE: "bpf_raw_tracepoint_args",
    ProgType.CGROUP_SOCKOPT: "bpf_sockopt",
    ProgType.SK_LOOKUP: "bpf_sk_lookup",
    ProgType.NETFILTER: "bpf_nf_ctx",
}
"""Struct of ``linux/bpf.h`` (or the kernel) that R1 points to at the start."""

BTF_ARGUMENTS = frozenset(
    {ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS, ProgType.EXT}
)
"""Types whose context is an array of 8 bytes an argument, typed by kernel BTF."""


def member_at(btf: "Btf", struct_id: int, offset: int) -> tuple[str, int, int] | None:
    """Return name, offset and size of the innermost member at a byte of a struct.

    ``("cb[1]", 52, 4)``; ``None`` between members and behind the end.
    """
    try:
        return _member(btf, struct_id, offset, 0, 0)
    except BtfParseError:
        return None


def _member(  # noqa: PLR0911 - one way out for each kind of type
    btf: "Btf", type_id: int, wanted: int, base: int, depth: int
) -> tuple[str, int, int] | None:
    found = btf.type(skip_mods_and_typedefs(btf, type_id))
    if depth > _DEPTH:
        return None
    if isinstance(found, Array):
        size = size_of(btf, found.type_id)
        index = (wanted - base) // size if size else 0
        if not 0 <= index < found.nelems:
            return None
        start = base + index * size
        inner = _member(btf, found.type_id, wanted, start, depth + 1)
        if inner is None:
            return f"[{index}]", start, size
        return f"[{index}]{_dot(inner[0])}", inner[1], inner[2]
    if not isinstance(found, Struct | Union):
        return None
    for member in found.members:
        start = base + member.bit_offset // 8
        size = size_of(btf, member.type_id)
        if not start <= wanted < start + size:
            continue
        inner = _member(btf, member.type_id, wanted, start, depth + 1)
        if inner is not None:
            return f"{member.name}{_dot(inner[0])}".lstrip("."), inner[1], inner[2]
        if member.name:
            return member.name, start, size
    return None


def _dot(name: str) -> str:
    return name if name.startswith("[") else f".{name}"
