"""Which class of the runtime a program gets; ``skelgen.runtime.programs`` agrees."""

from skelgen.model import attach
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.spec import ProgramSpec

_BY_ATTACH: dict[type, str] = {
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
_BY_TYPE: dict[int, str] = {
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
}


def program_class(spec: ProgramSpec) -> str:
    """Return the name of the class in the runtime."""
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
