"""Which class a program has; its module is imported when it is first used."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.model import attach
from skelgen.model.enums import ProgType
from skelgen.runtime import public
from skelgen.runtime.programs.base import Program

if TYPE_CHECKING:
    from typing import Final

    from skelgen.model.spec import ProgramSpec

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
        from skelgen.model.enums import AttachType

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
    found = public.find(_class_name(spec))
    assert isinstance(found, type)
    assert issubclass(found, Program)
    return found
