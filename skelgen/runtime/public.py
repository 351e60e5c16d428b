"""The public names of the runtime and the modules that define them.

One table: ``skelgen.runtime`` hands the names out, and the families of maps and
programs find their classes here. A module is imported when its first name is used.
"""

HOMES = {
    "skelgen.model.attach": (
        "Attach Kprobe KprobeMulti Ksyscall Manual RawTracepoint StructOps Tracepoint "
        "Tracing TracingMulti Uprobe UprobeMulti Usdt"
    ),
    "skelgen.model.enums": "AttachType LinkType MapType ProgType",
    "skelgen.model.spec": (
        "DataKind DataSpec ExternKind ExternLoad ExternSpec JumpTable KconfigType "
        "KfuncCall MapFd MapSpec MapValue ObjectSpec Pinning ProgramSpec Span "
        "StructOpsSpec SubprogramRef SubprogramSpec"
    ),
    "skelgen.runtime.abi": "ABI decode image_for_machine require_abi",
    "skelgen.runtime.errors": (
        "AbiError AttachError BpfError BpfFileExistsError BpfFileNotFoundError "
        "BpfOSError BpfPermissionError ClosedError CoreRelocationError Diagnosis "
        "ExternError KernelBtfError MapFullError NotSupportedError Register SourceLine StateError "
        "TargetNotFoundError VerifierError"
    ),
    "skelgen.runtime.links.base": "Link",
    "skelgen.runtime.links.iter": "IterLink",
    "skelgen.runtime.links.per_cpu": "PerCpuLink",
    "skelgen.runtime.links.struct_ops": "StructOpsLink",
    "skelgen.runtime.listing": "Namespace",
    "skelgen.runtime.load.report": "LoadFailure LoadReport",
    "skelgen.runtime.maps.arena": "ArenaMap",
    "skelgen.runtime.maps.array": "ArrayMap ProgArray",
    "skelgen.runtime.maps.base": "Map",
    "skelgen.runtime.maps.generic": "GenericMap",
    "skelgen.runtime.maps.handle": "MapHandle",
    "skelgen.runtime.maps.hash": "HashMap",
    "skelgen.runtime.maps.percpu_array": "PerCpuArrayMap",
    "skelgen.runtime.maps.percpu_generic": "PerCpuGenericMap",
    "skelgen.runtime.maps.percpu_hash": "PerCpuHashMap",
    "skelgen.runtime.maps.ringbuf": "RingBuf poll",
    "skelgen.runtime.maps.struct_ops": "StructOpsMap",
    "skelgen.runtime.memory.section": "Section",
    "skelgen.runtime.maps.shadow": "Operation Shadow",
    "skelgen.runtime.memory.variables": "DataSection Global",
    "skelgen.runtime.object.attach_report": "AttachReport",
    "skelgen.runtime.object.life": "State",
    "skelgen.runtime.object.object": "Object",
    "skelgen.runtime.programs.base": "Program",
    "skelgen.runtime.programs.cgroup": "CgroupProgram",
    "skelgen.runtime.programs.extension": "ExtensionProgram",
    "skelgen.runtime.programs.iter": "IterProgram",
    "skelgen.runtime.programs.kprobe": "KprobeProgram KsyscallProgram",
    "skelgen.runtime.programs.kprobe_multi": "KprobeMultiProgram",
    "skelgen.runtime.programs.netns": "NetfilterProgram NetnsProgram",
    "skelgen.runtime.programs.perf_event": "PerfEventProgram",
    "skelgen.runtime.programs.raw_tracepoint": "RawTracepointProgram",
    "skelgen.runtime.programs.socket": "SocketProgram SockmapProgram",
    "skelgen.runtime.programs.struct_ops": "StructOpsProgram",
    "skelgen.runtime.programs.syscall": "SyscallProgram",
    "skelgen.runtime.programs.tc": "TcProgram",
    "skelgen.runtime.programs.tracepoint": "TracepointProgram",
    "skelgen.runtime.programs.tracing": "LsmProgram TracingProgram",
    "skelgen.runtime.programs.uprobe": "UprobeProgram UsdtProgram",
    "skelgen.runtime.programs.uprobe_multi": "UprobeMultiProgram",
    "skelgen.runtime.programs.xdp": "XdpProgram",
    "skelgen.runtime.skeleton": "Links Skeleton",
    "skelgen.runtime.streams.program": "ProgramStream",
    "skelgen.runtime.syscalls.fd": "Fd",
    "skelgen.runtime.syscalls.info": "BtfInfo MapInfo ProgInfo",
    "skelgen.runtime.syscalls.info_link": "LinkInfo",
    "skelgen.runtime.syscalls.progs": "TestRun",
    "skelgen.runtime.syscalls.sizes": "possible_cpus",
    "skelgen.runtime.values.array": "Array array",
    "skelgen.runtime.values.codec": (
        "BOOL Bytes CString Codec F32 F64 I128 I16 I32 I64 I8 U128 U16 U32 U64 U8 "
        "enum"
    ),
    "skelgen.runtime.values.member": "bits flexible flexible_bytes member",
    "skelgen.runtime.values.struct": "Struct Union struct",
}
"""Names by module, as one text: a name a line would be longer than the loader."""

HOME_OF = {name: home for home, names in HOMES.items() for name in names.split()}


def find(name: str) -> object:
    """Return what a public name stands for; raise KeyError for any other name."""
    return getattr(__import__(HOME_OF[name], fromlist=(name,)), name)
