"""The low-level API: ``bpf(2)`` and its neighbours as plain functions.

Every command of ``bpf(2)`` up to Linux 6.18 has one. They take and return fds as
integers (3 or more, close-on-exec) and raise :class:`BpfOSError`; ``what`` is how
the error calls the object. The only way from here into the kernel is :func:`raw`,
which tests replace.
"""

from __future__ import annotations

from skelgen.runtime.syscalls.seam import (
    Buffer,
    Fd,
    Memory,
    call,
    close,
    dup,
    good_fd,
    raw,
)
from skelgen.typed import TYPE_CHECKING

# isort: split
# the rest looks ``raw`` up in this module
from skelgen.runtime.syscalls.access import MapAccess
from skelgen.runtime.syscalls.btf import btf_load
from skelgen.runtime.syscalls.links import (
    BPF_F_AFTER,
    BPF_F_BEFORE,
    BPF_F_ID,
    BPF_F_LINK,
    BPF_F_PREORDER,
    BPF_F_REPLACE,
    iter_create,
    link_create,
    link_create_iter,
    link_create_kprobe_multi,
    link_create_netfilter,
    link_create_ordered,
    link_create_perf_event,
    link_create_struct_ops,
    link_create_tracing,
    link_create_uprobe_multi,
    link_detach,
    link_update,
)
from skelgen.runtime.syscalls.maps import (
    BPF_ANY,
    BPF_EXIST,
    BPF_F_LOCK,
    BPF_NOEXIST,
    map_create,
    map_delete,
    map_delete_batch,
    map_freeze,
    map_lookup,
    map_lookup_and_delete,
    map_lookup_batch,
    map_next_key,
    map_update,
    map_update_batch,
)
from skelgen.runtime.syscalls.mem import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    mmap,
    mprotect,
    munmap,
    populate,
)
from skelgen.runtime.syscalls.perf import (
    PERF_COUNT_SW_BPF_OUTPUT,
    PERF_COUNT_SW_CPU_CLOCK,
    PERF_EVENT_IOC_DISABLE,
    PERF_EVENT_IOC_ENABLE,
    PERF_EVENT_IOC_SET_BPF,
    PERF_SAMPLE_RAW,
    PERF_TYPE_HARDWARE,
    PERF_TYPE_SOFTWARE,
    PERF_TYPE_TRACEPOINT,
    ioctl,
    perf_event_open,
)
from skelgen.runtime.syscalls.progs import (
    ProgQuery,
    TestRun,
    prog_attach,
    prog_bind_map,
    prog_detach,
    prog_load,
    prog_query,
    prog_stream_read,
    prog_test_run,
    raw_tracepoint_open,
)

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.syscalls.info import (
        BtfInfo,
        MapInfo,
        ProgInfo,
        btf_data,
        btf_info,
        map_info,
        obj_get_info,
        prog_info,
        prog_insns,
    )
    from skelgen.runtime.syscalls.info_link import LinkInfo, link_info
    from skelgen.runtime.syscalls.mounts import (
        FSCONFIG_CMD_CREATE,
        FSCONFIG_SET_STRING,
        fsconfig,
        fsmount,
        fsopen,
    )
    from skelgen.runtime.syscalls.objects import (
        TaskFd,
        enable_stats,
        get_fd_by_id,
        get_next_id,
        obj_get,
        obj_pin,
        prog_assoc_struct_ops,
        task_fd_query,
        token_create,
    )

__all__ = (
    "BPF_ANY",
    "BPF_EXIST",
    "BPF_F_AFTER",
    "BPF_F_BEFORE",
    "BPF_F_ID",
    "BPF_F_LINK",
    "BPF_F_LOCK",
    "BPF_F_PREORDER",
    "BPF_F_REPLACE",
    "BPF_NOEXIST",
    "FSCONFIG_CMD_CREATE",
    "FSCONFIG_SET_STRING",
    "MAP_ANONYMOUS",
    "MAP_FIXED",
    "MAP_PRIVATE",
    "MAP_SHARED",
    "PERF_COUNT_SW_BPF_OUTPUT",
    "PERF_COUNT_SW_CPU_CLOCK",
    "PERF_EVENT_IOC_DISABLE",
    "PERF_EVENT_IOC_ENABLE",
    "PERF_EVENT_IOC_SET_BPF",
    "PERF_SAMPLE_RAW",
    "PERF_TYPE_HARDWARE",
    "PERF_TYPE_SOFTWARE",
    "PERF_TYPE_TRACEPOINT",
    "PROT_NONE",
    "PROT_READ",
    "PROT_WRITE",
    "BtfInfo",
    "Buffer",
    "Fd",
    "LinkInfo",
    "MapAccess",
    "MapInfo",
    "Memory",
    "ProgInfo",
    "ProgQuery",
    "TaskFd",
    "TestRun",
    "btf_data",
    "btf_info",
    "btf_load",
    "call",
    "close",
    "dup",
    "enable_stats",
    "fsconfig",
    "fsmount",
    "fsopen",
    "get_fd_by_id",
    "get_next_id",
    "good_fd",
    "ioctl",
    "iter_create",
    "link_create",
    "link_create_iter",
    "link_create_kprobe_multi",
    "link_create_netfilter",
    "link_create_ordered",
    "link_create_perf_event",
    "link_create_struct_ops",
    "link_create_tracing",
    "link_create_uprobe_multi",
    "link_detach",
    "link_info",
    "link_update",
    "map_create",
    "map_delete",
    "map_delete_batch",
    "map_freeze",
    "map_info",
    "map_lookup",
    "map_lookup_and_delete",
    "map_lookup_batch",
    "map_next_key",
    "map_update",
    "map_update_batch",
    "mmap",
    "mprotect",
    "munmap",
    "obj_get",
    "obj_get_info",
    "obj_pin",
    "perf_event_open",
    "populate",
    "prog_assoc_struct_ops",
    "prog_attach",
    "prog_bind_map",
    "prog_detach",
    "prog_info",
    "prog_insns",
    "prog_load",
    "prog_query",
    "prog_stream_read",
    "prog_test_run",
    "raw",
    "raw_tracepoint_open",
    "task_fd_query",
    "token_create",
)

# What few programs need is imported when it is first used.
_LATE: Final = {
    "BtfInfo": "info",
    "MapInfo": "info",
    "ProgInfo": "info",
    "btf_data": "info",
    "btf_info": "info",
    "map_info": "info",
    "obj_get_info": "info",
    "prog_info": "info",
    "prog_insns": "info",
    "LinkInfo": "info_link",
    "link_info": "info_link",
    "FSCONFIG_CMD_CREATE": "mounts",
    "FSCONFIG_SET_STRING": "mounts",
    "fsconfig": "mounts",
    "fsmount": "mounts",
    "fsopen": "mounts",
    "TaskFd": "objects",
    "enable_stats": "objects",
    "get_fd_by_id": "objects",
    "get_next_id": "objects",
    "obj_get": "objects",
    "obj_pin": "objects",
    "prog_assoc_struct_ops": "objects",
    "task_fd_query": "objects",
    "token_create": "objects",
}


def __getattr__(name: str) -> object:
    module = _LATE.get(name)
    if module is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    found: object = getattr(__import__(f"{__name__}.{module}", fromlist=(name,)), name)
    globals()[name] = found
    return found
