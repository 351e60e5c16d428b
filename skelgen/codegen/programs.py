"""Which class of the runtime a program gets, and how it is described.

``skelgen.runtime.programs.families`` has the same table; a test compares them.
"""

from typing import NamedTuple

from skelgen.codegen.pretty import Group
from skelgen.codegen.text import code, literal
from skelgen.model import attach
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.spec import ProgramSpec, StructOpsSpec

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


class ProgramView(NamedTuple):
    """A program, or a struct_ops variable, of a generated module."""

    attribute: str
    expr: Group
    """The statement that sets the attribute."""
    doc: str


def program_view(spec: ProgramSpec, attribute: str) -> ProgramView:
    """Return how a program looks in a module."""
    items = (literal(spec.name), f"rt.{program_class(spec)}")
    doc = code(f'SEC("{spec.section}")')
    if not spec.autoload:
        doc += ", not loaded unless ``autoload`` is set"
    expr = Group(f"self.{attribute}: Final = obj.program", items)
    return ProgramView(attribute, expr, f"{doc}.")


def struct_ops_view(spec: StructOpsSpec, attribute: str, cls: str) -> ProgramView:
    """Return how a struct_ops variable looks in a module, whose shadow is a ``cls``."""
    doc = f"{code(f'struct {spec.type_name} {spec.name}')}."
    items = (literal(spec.name), cls)
    expr = Group(f"self.{attribute}: Final = obj.shadow", items)
    return ProgramView(attribute, expr, doc)


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
