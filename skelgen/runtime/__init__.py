"""What generated modules and users of the loader import, as one name each.

``from skelgen import runtime as rt``: nearly every name is loaded when it is first
used, so that a program pays for the families of maps, programs and links it has.
"""

import builtins

# now, because a module of that name would take their place when it is imported
from skelgen.runtime.array import array
from skelgen.runtime.struct import struct
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
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
    from skelgen.model.enums import AttachType, LinkType, MapType, ProgType
    from skelgen.model.spec import (
        DataKind,
        DataSpec,
        ExternKind,
        ExternLoad,
        ExternSpec,
        JumpTable,
        KconfigType,
        KfuncCall,
        MapFd,
        MapSpec,
        MapValue,
        ObjectSpec,
        Pinning,
        ProgramSpec,
        Span,
        StructOpsSpec,
        SubprogramRef,
        SubprogramSpec,
    )
    from skelgen.runtime.abi import ABI, decode, image_for_machine, require_abi
    from skelgen.runtime.array import Array, array_type
    from skelgen.runtime.attach_report import AttachReport
    from skelgen.runtime.codec import (
        BOOL,
        F32,
        F64,
        I8,
        I16,
        I32,
        I64,
        I128,
        U8,
        U16,
        U32,
        U64,
        U128,
        Bytes,
        Codec,
        CString,
        enum,
    )
    from skelgen.runtime.errors import (
        AbiError,
        AttachError,
        BpfError,
        BpfFileExistsError,
        BpfFileNotFoundError,
        BpfOSError,
        BpfPermissionError,
        ClosedError,
        CoreRelocationError,
        ExternError,
        KernelBtfError,
        MapFullError,
        NotSupportedError,
        Register,
        SourceLine,
        StateError,
        TargetNotFoundError,
        VerifierError,
    )
    from skelgen.runtime.globals import DataSection, Global
    from skelgen.runtime.links.base import Link
    from skelgen.runtime.links.iter import IterLink
    from skelgen.runtime.links.per_cpu import PerCpuLink
    from skelgen.runtime.links.struct_ops import StructOpsLink
    from skelgen.runtime.listing import Namespace
    from skelgen.runtime.load_report import LoadFailure, LoadReport
    from skelgen.runtime.maps.arena import ArenaMap
    from skelgen.runtime.maps.array import ArrayMap, PerCpuArrayMap, ProgArray
    from skelgen.runtime.maps.base import Map
    from skelgen.runtime.maps.generic import GenericMap, PerCpuGenericMap
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.maps.hash import HashMap, PerCpuHashMap
    from skelgen.runtime.maps.struct_ops import StructOpsMap
    from skelgen.runtime.member import BitField, Flexible, FlexibleBytes, Member
    from skelgen.runtime.object import Object, State
    from skelgen.runtime.programs.base import Program
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
    from skelgen.runtime.ringbuf import RingBuf, poll
    from skelgen.runtime.section import Section
    from skelgen.runtime.shadow import Operation, Shadow
    from skelgen.runtime.skeleton import Links, Skeleton
    from skelgen.runtime.struct import Struct, Union, check_layout
    from skelgen.runtime.syscalls import Fd, TestRun
    from skelgen.runtime.syscalls.info import BtfInfo, MapInfo, ProgInfo
    from skelgen.runtime.syscalls.info_link import LinkInfo
    from skelgen.runtime.syscalls.sizes import possible_cpus

__all__ = (
    "ABI",
    "BOOL",
    "F32",
    "F64",
    "I8",
    "I16",
    "I32",
    "I64",
    "I128",
    "U8",
    "U16",
    "U32",
    "U64",
    "U128",
    "AbiError",
    "ArenaMap",
    "Array",
    "ArrayMap",
    "Attach",
    "AttachError",
    "AttachReport",
    "AttachType",
    "BitField",
    "BpfError",
    "BpfFileExistsError",
    "BpfFileNotFoundError",
    "BpfOSError",
    "BpfPermissionError",
    "BtfInfo",
    "Bytes",
    "CString",
    "CgroupProgram",
    "ClosedError",
    "Codec",
    "CoreRelocationError",
    "DataKind",
    "DataSection",
    "DataSpec",
    "ExtensionProgram",
    "ExternError",
    "ExternKind",
    "ExternLoad",
    "ExternSpec",
    "Fd",
    "Flexible",
    "FlexibleBytes",
    "GenericMap",
    "Global",
    "HashMap",
    "IterLink",
    "IterProgram",
    "JumpTable",
    "KconfigType",
    "KernelBtfError",
    "KfuncCall",
    "Kprobe",
    "KprobeMulti",
    "KprobeMultiProgram",
    "KprobeProgram",
    "Ksyscall",
    "KsyscallProgram",
    "Link",
    "LinkInfo",
    "LinkType",
    "Links",
    "LoadFailure",
    "LoadReport",
    "LsmProgram",
    "Manual",
    "Map",
    "MapFd",
    "MapFullError",
    "MapHandle",
    "MapInfo",
    "MapSpec",
    "MapType",
    "MapValue",
    "Member",
    "Namespace",
    "NetfilterProgram",
    "NetnsProgram",
    "NotSupportedError",
    "Object",
    "ObjectSpec",
    "Operation",
    "PerCpuArrayMap",
    "PerCpuGenericMap",
    "PerCpuHashMap",
    "PerCpuLink",
    "PerfEventProgram",
    "Pinning",
    "ProgArray",
    "ProgInfo",
    "ProgType",
    "Program",
    "ProgramSpec",
    "RawTracepoint",
    "RawTracepointProgram",
    "Register",
    "RingBuf",
    "Section",
    "Shadow",
    "Skeleton",
    "SocketProgram",
    "SockmapProgram",
    "SourceLine",
    "Span",
    "State",
    "StateError",
    "Struct",
    "StructOps",
    "StructOpsLink",
    "StructOpsMap",
    "StructOpsProgram",
    "StructOpsSpec",
    "SubprogramRef",
    "SubprogramSpec",
    "SyscallProgram",
    "TargetNotFoundError",
    "TcProgram",
    "TestRun",
    "Tracepoint",
    "TracepointProgram",
    "Tracing",
    "TracingMulti",
    "TracingProgram",
    "Union",
    "Uprobe",
    "UprobeMulti",
    "UprobeMultiProgram",
    "UprobeProgram",
    "Usdt",
    "UsdtProgram",
    "VerifierError",
    "XdpProgram",
    "array",
    "array_type",
    "check_layout",
    "decode",
    "enum",
    "image_for_machine",
    "poll",
    "possible_cpus",
    "require_abi",
    "struct",
)

# by module, as one text: a name a line would be longer than the loader
_HOMES = {
    "skelgen.model.attach": (
        "Attach Kprobe KprobeMulti Ksyscall Manual RawTracepoint StructOps "
        "Tracepoint Tracing TracingMulti Uprobe UprobeMulti Usdt"
    ),
    "skelgen.model.enums": ("AttachType LinkType MapType ProgType"),
    "skelgen.model.spec": (
        "DataKind DataSpec ExternKind ExternLoad ExternSpec JumpTable "
        "KconfigType KfuncCall MapFd MapSpec MapValue ObjectSpec Pinning "
        "ProgramSpec Span StructOpsSpec SubprogramRef SubprogramSpec"
    ),
    "skelgen.runtime.abi": ("ABI decode image_for_machine require_abi"),
    "skelgen.runtime.array": ("Array array_type"),
    "skelgen.runtime.attach_report": ("AttachReport"),
    "skelgen.runtime.codec": (
        "BOOL Bytes CString Codec F32 F64 I8 I16 I32 I64 I128 U8 U16 U32 U64 "
        "U128 enum"
    ),
    "skelgen.runtime.errors": (
        "AbiError AttachError BpfError BpfFileExistsError BpfFileNotFoundError "
        "BpfOSError BpfPermissionError ClosedError CoreRelocationError "
        "ExternError KernelBtfError MapFullError NotSupportedError Register "
        "SourceLine StateError TargetNotFoundError VerifierError"
    ),
    "skelgen.runtime.globals": ("DataSection Global"),
    "skelgen.runtime.links.base": ("Link"),
    "skelgen.runtime.links.iter": ("IterLink"),
    "skelgen.runtime.links.per_cpu": ("PerCpuLink"),
    "skelgen.runtime.links.struct_ops": ("StructOpsLink"),
    "skelgen.runtime.listing": ("Namespace"),
    "skelgen.runtime.load_report": ("LoadFailure LoadReport"),
    "skelgen.runtime.maps.arena": ("ArenaMap"),
    "skelgen.runtime.maps.array": ("ArrayMap PerCpuArrayMap ProgArray"),
    "skelgen.runtime.maps.base": ("Map"),
    "skelgen.runtime.maps.generic": ("GenericMap PerCpuGenericMap"),
    "skelgen.runtime.maps.handle": ("MapHandle"),
    "skelgen.runtime.maps.hash": ("HashMap PerCpuHashMap"),
    "skelgen.runtime.maps.struct_ops": ("StructOpsMap"),
    "skelgen.runtime.member": ("BitField Flexible FlexibleBytes Member"),
    "skelgen.runtime.object": ("Object State"),
    "skelgen.runtime.programs.base": ("Program"),
    "skelgen.runtime.programs.cgroup": ("CgroupProgram"),
    "skelgen.runtime.programs.extension": ("ExtensionProgram"),
    "skelgen.runtime.programs.iter": ("IterProgram"),
    "skelgen.runtime.programs.kprobe": ("KprobeProgram KsyscallProgram"),
    "skelgen.runtime.programs.kprobe_multi": ("KprobeMultiProgram"),
    "skelgen.runtime.programs.netns": ("NetfilterProgram NetnsProgram"),
    "skelgen.runtime.programs.perf_event": ("PerfEventProgram"),
    "skelgen.runtime.programs.raw_tracepoint": ("RawTracepointProgram"),
    "skelgen.runtime.programs.socket": ("SocketProgram SockmapProgram"),
    "skelgen.runtime.programs.struct_ops": ("StructOpsProgram"),
    "skelgen.runtime.programs.syscall": ("SyscallProgram"),
    "skelgen.runtime.programs.tc": ("TcProgram"),
    "skelgen.runtime.programs.tracepoint": ("TracepointProgram"),
    "skelgen.runtime.programs.tracing": ("LsmProgram TracingProgram"),
    "skelgen.runtime.programs.uprobe": ("UprobeMultiProgram UprobeProgram UsdtProgram"),
    "skelgen.runtime.programs.xdp": ("XdpProgram"),
    "skelgen.runtime.ringbuf": ("RingBuf poll"),
    "skelgen.runtime.section": ("Section"),
    "skelgen.runtime.shadow": ("Operation Shadow"),
    "skelgen.runtime.skeleton": ("Links Skeleton"),
    "skelgen.runtime.struct": ("Struct Union check_layout"),
    "skelgen.runtime.syscalls": ("Fd TestRun"),
    "skelgen.runtime.syscalls.info": ("BtfInfo MapInfo ProgInfo"),
    "skelgen.runtime.syscalls.info_link": ("LinkInfo"),
    "skelgen.runtime.syscalls.sizes": ("possible_cpus"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    found: object = getattr(__import__(home, fromlist=(name,)), name)
    builtins.globals()[name] = found  # a module here is called globals
    return found


def __dir__() -> list[str]:
    return sorted({*builtins.globals(), *__all__})
