"""BPF programs, one file a family; each is imported when it is first used."""

from __future__ import annotations

from skelgen.model import attach
from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime.programs.base import Program
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

    from skelgen.model.spec import ProgramSpec
    from skelgen.runtime.programs.cgroup import CgroupProgram
    from skelgen.runtime.programs.extension import ExtensionProgram
    from skelgen.runtime.programs.iter import IterProgram
    from skelgen.runtime.programs.kprobe import KprobeProgram, KsyscallProgram
    from skelgen.runtime.programs.kprobe_multi import KprobeMultiProgram
    from skelgen.runtime.programs.netns import NetfilterProgram, NetnsProgram
    from skelgen.runtime.programs.perf_event import PerfEventProgram
    from skelgen.runtime.programs.raw_tracepoint import RawTracepointProgram
    from skelgen.runtime.programs.socket import SocketProgram, SockmapProgram
    from skelgen.runtime.programs.struct_ops import StructOpsProgram
    from skelgen.runtime.programs.syscall import SyscallProgram
    from skelgen.runtime.programs.tc import TcProgram
    from skelgen.runtime.programs.tracepoint import TracepointProgram
    from skelgen.runtime.programs.tracing import LsmProgram, TracingProgram
    from skelgen.runtime.programs.uprobe import (
        UprobeMultiProgram,
        UprobeProgram,
        UsdtProgram,
    )
    from skelgen.runtime.programs.xdp import XdpProgram

__all__ = (
    "CgroupProgram",
    "ExtensionProgram",
    "IterProgram",
    "KprobeMultiProgram",
    "KprobeProgram",
    "KsyscallProgram",
    "LsmProgram",
    "NetfilterProgram",
    "NetnsProgram",
    "PerfEventProgram",
    "Program",
    "RawTracepointProgram",
    "SocketProgram",
    "SockmapProgram",
    "StructOpsProgram",
    "SyscallProgram",
    "TcProgram",
    "TracepointProgram",
    "TracingProgram",
    "UprobeMultiProgram",
    "UprobeProgram",
    "UsdtProgram",
    "XdpProgram",
    "program_class",
)

_MODULES: Final = {
    "CgroupProgram": "cgroup",
    "ExtensionProgram": "extension",
    "IterProgram": "iter",
    "KprobeMultiProgram": "kprobe_multi",
    "KprobeProgram": "kprobe",
    "KsyscallProgram": "kprobe",
    "LsmProgram": "tracing",
    "NetfilterProgram": "netns",
    "NetnsProgram": "netns",
    "PerfEventProgram": "perf_event",
    "RawTracepointProgram": "raw_tracepoint",
    "SocketProgram": "socket",
    "SockmapProgram": "socket",
    "StructOpsProgram": "struct_ops",
    "SyscallProgram": "syscall",
    "TcProgram": "tc",
    "TracepointProgram": "tracepoint",
    "TracingProgram": "tracing",
    "UprobeMultiProgram": "uprobe",
    "UprobeProgram": "uprobe",
    "UsdtProgram": "uprobe",
    "XdpProgram": "xdp",
}

# skelgen.codegen.programs says the same for generated modules
_BY_ATTACH: Final[dict[type, str]] = {
    attach.Tracepoint: "TracepointProgram",
    attach.RawTracepoint: "RawTracepointProgram",
    attach.Kprobe: "KprobeProgram",
    attach.KprobeMulti: "KprobeMultiProgram",
    attach.Ksyscall: "KsyscallProgram",
    attach.Uprobe: "UprobeProgram",
    attach.UprobeMulti: "UprobeMultiProgram",
    attach.Usdt: "UsdtProgram",
    attach.StructOps: "StructOpsProgram",
}
_BY_TYPE: Final[dict[int, str]] = {
    ProgType.XDP: "XdpProgram",
    ProgType.SCHED_CLS: "TcProgram",
    ProgType.SCHED_ACT: "TcProgram",
    ProgType.CGROUP_SKB: "CgroupProgram",
    ProgType.CGROUP_SOCK: "CgroupProgram",
    ProgType.CGROUP_DEVICE: "CgroupProgram",
    ProgType.CGROUP_SOCK_ADDR: "CgroupProgram",
    ProgType.CGROUP_SYSCTL: "CgroupProgram",
    ProgType.CGROUP_SOCKOPT: "CgroupProgram",
    ProgType.SOCK_OPS: "CgroupProgram",
    ProgType.SK_LOOKUP: "NetnsProgram",
    ProgType.FLOW_DISSECTOR: "NetnsProgram",
    ProgType.NETFILTER: "NetfilterProgram",
    ProgType.PERF_EVENT: "PerfEventProgram",
    ProgType.SOCKET_FILTER: "SocketProgram",
    ProgType.SK_REUSEPORT: "SocketProgram",
    ProgType.SK_SKB: "SockmapProgram",
    ProgType.SK_MSG: "SockmapProgram",
    ProgType.SYSCALL: "SyscallProgram",
}


def _class_name(spec: ProgramSpec) -> str:
    if isinstance(spec.attach, attach.Tracing):
        if spec.type == ProgType.EXT:
            return "ExtensionProgram"
        if spec.attach_type == AttachType.LSM_CGROUP:
            return "CgroupProgram"
        if spec.type == ProgType.LSM:
            return "LsmProgram"
        if spec.attach_type == AttachType.TRACE_ITER:
            return "IterProgram"
        return "TracingProgram"
    by_attach = _BY_ATTACH.get(type(spec.attach))
    return by_attach or _BY_TYPE.get(spec.type, "Program")


def program_class(spec: ProgramSpec) -> type[Program]:
    """Return the class of a program, by its section's meaning and its type."""
    name = _class_name(spec)
    found = Program if name == "Program" else __getattr__(name)
    assert isinstance(found, type)  # noqa: S101 (for the type checker)
    assert issubclass(found, Program)  # noqa: S101 (likewise)
    return found


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    found: object = getattr(__import__(f"{__name__}.{module}", fromlist=(name,)), name)
    globals()[name] = found
    return found
