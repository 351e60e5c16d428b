"""The low-level API: ``bpf(2)`` and its neighbours as plain functions.

Every command of ``bpf(2)`` up to Linux 6.18 has one. They take and return fds as
integers (3 or more, close-on-exec) and raise :class:`BpfOSError`; ``what`` is how
the error calls the object. The only way from here into the kernel is
:func:`skelgen.runtime.syscalls.call.raw`, which tests replace.
"""

from skelgen._names import public_names

__getattr__, __dir__, __all__ = public_names(
    __name__,
    {
        "skelgen.model.flags": (
            "BPF_ANY BPF_EXIST BPF_F_AFTER BPF_F_BEFORE BPF_F_ID BPF_F_LINK BPF_F_LOCK "
            "BPF_F_PREORDER BPF_F_REPLACE BPF_NOEXIST"
        ),
        "skelgen.runtime.syscalls.btf": "btf_load",
        "skelgen.runtime.syscalls.buffers": "Buffer Memory",
        "skelgen.runtime.syscalls.call": "raw syscall",
        "skelgen.runtime.syscalls.fd": "Fd checked_fd close dup good_fd",
        "skelgen.runtime.syscalls.info": (
            "BtfInfo MapInfo ProgInfo btf_data btf_info map_info obj_get_info prog_info "
            "prog_insns"
        ),
        "skelgen.runtime.syscalls.info_link": "LinkInfo link_info",
        "skelgen.runtime.syscalls.links": (
            "iter_create link_create link_create_iter link_create_kprobe_multi "
            "link_create_netfilter link_create_ordered link_create_perf_event "
            "link_create_struct_ops link_create_tracing link_create_uprobe_multi "
            "link_detach link_update"
        ),
        "skelgen.runtime.syscalls.map_access": "MapAccess",
        "skelgen.runtime.syscalls.map_batches": (
            "map_delete_batch map_lookup_batch map_update_batch"
        ),
        "skelgen.runtime.syscalls.mapping": (
            "MAP_ANONYMOUS MAP_FIXED MAP_PRIVATE MAP_SHARED PROT_NONE PROT_READ "
            "PROT_WRITE map_over map_private mmap mprotect munmap populate"
        ),
        "skelgen.runtime.syscalls.maps": (
            "map_create map_delete map_freeze map_lookup map_lookup_and_delete "
            "map_next_key map_update"
        ),
        "skelgen.runtime.syscalls.mounts": (
            "FSCONFIG_CMD_CREATE FSCONFIG_SET_STRING fsconfig fsmount fsopen"
        ),
        "skelgen.runtime.syscalls.objects": (
            "TaskFd enable_stats fd_kind get_fd_by_id get_next_id obj_get obj_pin "
            "prog_assoc_struct_ops task_fd_query token_create"
        ),
        "skelgen.runtime.syscalls.perf": (
            "PERF_COUNT_SW_BPF_OUTPUT PERF_COUNT_SW_CPU_CLOCK PERF_EVENT_IOC_DISABLE "
            "PERF_EVENT_IOC_ENABLE PERF_EVENT_IOC_SET_BPF PERF_SAMPLE_RAW "
            "PERF_TYPE_HARDWARE PERF_TYPE_SOFTWARE PERF_TYPE_TRACEPOINT ioctl "
            "perf_event_open"
        ),
        "skelgen.runtime.syscalls.progs": (
            "ProgQuery TestRun prog_attach prog_bind_map prog_detach prog_load prog_query "
            "prog_stream_read prog_test_run raw_tracepoint_open"
        ),
    },
)
