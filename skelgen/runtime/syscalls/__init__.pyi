from skelgen.model.flags import BPF_ANY as BPF_ANY
from skelgen.model.flags import BPF_EXIST as BPF_EXIST
from skelgen.model.flags import BPF_F_AFTER as BPF_F_AFTER
from skelgen.model.flags import BPF_F_BEFORE as BPF_F_BEFORE
from skelgen.model.flags import BPF_F_ID as BPF_F_ID
from skelgen.model.flags import BPF_F_LINK as BPF_F_LINK
from skelgen.model.flags import BPF_F_LOCK as BPF_F_LOCK
from skelgen.model.flags import BPF_F_PREORDER as BPF_F_PREORDER
from skelgen.model.flags import BPF_F_REPLACE as BPF_F_REPLACE
from skelgen.model.flags import BPF_NOEXIST as BPF_NOEXIST
from skelgen.runtime.syscalls.btf import btf_load as btf_load
from skelgen.runtime.syscalls.buffers import Buffer as Buffer
from skelgen.runtime.syscalls.buffers import Memory as Memory
from skelgen.runtime.syscalls.call import raw as raw
from skelgen.runtime.syscalls.call import syscall as syscall
from skelgen.runtime.syscalls.fd import Fd as Fd
from skelgen.runtime.syscalls.fd import checked_fd as checked_fd
from skelgen.runtime.syscalls.fd import close as close
from skelgen.runtime.syscalls.fd import dup as dup
from skelgen.runtime.syscalls.fd import good_fd as good_fd
from skelgen.runtime.syscalls.info import BtfInfo as BtfInfo
from skelgen.runtime.syscalls.info import MapInfo as MapInfo
from skelgen.runtime.syscalls.info import ProgInfo as ProgInfo
from skelgen.runtime.syscalls.info import btf_data as btf_data
from skelgen.runtime.syscalls.info import btf_info as btf_info
from skelgen.runtime.syscalls.info import map_info as map_info
from skelgen.runtime.syscalls.info import obj_get_info as obj_get_info
from skelgen.runtime.syscalls.info import prog_info as prog_info
from skelgen.runtime.syscalls.info import prog_insns as prog_insns
from skelgen.runtime.syscalls.info_link import LinkInfo as LinkInfo
from skelgen.runtime.syscalls.info_link import link_info as link_info
from skelgen.runtime.syscalls.links import iter_create as iter_create
from skelgen.runtime.syscalls.links import link_create as link_create
from skelgen.runtime.syscalls.links import link_create_iter as link_create_iter
from skelgen.runtime.syscalls.links import (
    link_create_kprobe_multi as link_create_kprobe_multi,
)
from skelgen.runtime.syscalls.links import (
    link_create_netfilter as link_create_netfilter,
)
from skelgen.runtime.syscalls.links import link_create_ordered as link_create_ordered
from skelgen.runtime.syscalls.links import (
    link_create_perf_event as link_create_perf_event,
)
from skelgen.runtime.syscalls.links import (
    link_create_struct_ops as link_create_struct_ops,
)
from skelgen.runtime.syscalls.links import link_create_tracing as link_create_tracing
from skelgen.runtime.syscalls.links import (
    link_create_uprobe_multi as link_create_uprobe_multi,
)
from skelgen.runtime.syscalls.links import link_detach as link_detach
from skelgen.runtime.syscalls.links import link_update as link_update
from skelgen.runtime.syscalls.map_access import MapAccess as MapAccess
from skelgen.runtime.syscalls.map_batches import map_delete_batch as map_delete_batch
from skelgen.runtime.syscalls.map_batches import map_lookup_batch as map_lookup_batch
from skelgen.runtime.syscalls.map_batches import map_update_batch as map_update_batch
from skelgen.runtime.syscalls.mapping import MAP_ANONYMOUS as MAP_ANONYMOUS
from skelgen.runtime.syscalls.mapping import MAP_FIXED as MAP_FIXED
from skelgen.runtime.syscalls.mapping import MAP_PRIVATE as MAP_PRIVATE
from skelgen.runtime.syscalls.mapping import MAP_SHARED as MAP_SHARED
from skelgen.runtime.syscalls.mapping import PROT_NONE as PROT_NONE
from skelgen.runtime.syscalls.mapping import PROT_READ as PROT_READ
from skelgen.runtime.syscalls.mapping import PROT_WRITE as PROT_WRITE
from skelgen.runtime.syscalls.mapping import map_over as map_over
from skelgen.runtime.syscalls.mapping import map_private as map_private
from skelgen.runtime.syscalls.mapping import mmap as mmap
from skelgen.runtime.syscalls.mapping import mprotect as mprotect
from skelgen.runtime.syscalls.mapping import munmap as munmap
from skelgen.runtime.syscalls.mapping import populate as populate
from skelgen.runtime.syscalls.maps import map_create as map_create
from skelgen.runtime.syscalls.maps import map_delete as map_delete
from skelgen.runtime.syscalls.maps import map_freeze as map_freeze
from skelgen.runtime.syscalls.maps import map_lookup as map_lookup
from skelgen.runtime.syscalls.maps import map_lookup_and_delete as map_lookup_and_delete
from skelgen.runtime.syscalls.maps import map_next_key as map_next_key
from skelgen.runtime.syscalls.maps import map_update as map_update
from skelgen.runtime.syscalls.mounts import FSCONFIG_CMD_CREATE as FSCONFIG_CMD_CREATE
from skelgen.runtime.syscalls.mounts import FSCONFIG_SET_STRING as FSCONFIG_SET_STRING
from skelgen.runtime.syscalls.mounts import fsconfig as fsconfig
from skelgen.runtime.syscalls.mounts import fsmount as fsmount
from skelgen.runtime.syscalls.mounts import fsopen as fsopen
from skelgen.runtime.syscalls.objects import TaskFd as TaskFd
from skelgen.runtime.syscalls.objects import enable_stats as enable_stats
from skelgen.runtime.syscalls.objects import fd_kind as fd_kind
from skelgen.runtime.syscalls.objects import get_fd_by_id as get_fd_by_id
from skelgen.runtime.syscalls.objects import get_next_id as get_next_id
from skelgen.runtime.syscalls.objects import obj_get as obj_get
from skelgen.runtime.syscalls.objects import obj_pin as obj_pin
from skelgen.runtime.syscalls.objects import (
    prog_assoc_struct_ops as prog_assoc_struct_ops,
)
from skelgen.runtime.syscalls.objects import task_fd_query as task_fd_query
from skelgen.runtime.syscalls.objects import token_create as token_create
from skelgen.runtime.syscalls.perf import (
    PERF_COUNT_SW_BPF_OUTPUT as PERF_COUNT_SW_BPF_OUTPUT,
)
from skelgen.runtime.syscalls.perf import (
    PERF_COUNT_SW_CPU_CLOCK as PERF_COUNT_SW_CPU_CLOCK,
)
from skelgen.runtime.syscalls.perf import (
    PERF_EVENT_IOC_DISABLE as PERF_EVENT_IOC_DISABLE,
)
from skelgen.runtime.syscalls.perf import PERF_EVENT_IOC_ENABLE as PERF_EVENT_IOC_ENABLE
from skelgen.runtime.syscalls.perf import (
    PERF_EVENT_IOC_SET_BPF as PERF_EVENT_IOC_SET_BPF,
)
from skelgen.runtime.syscalls.perf import PERF_SAMPLE_RAW as PERF_SAMPLE_RAW
from skelgen.runtime.syscalls.perf import PERF_TYPE_HARDWARE as PERF_TYPE_HARDWARE
from skelgen.runtime.syscalls.perf import PERF_TYPE_SOFTWARE as PERF_TYPE_SOFTWARE
from skelgen.runtime.syscalls.perf import PERF_TYPE_TRACEPOINT as PERF_TYPE_TRACEPOINT
from skelgen.runtime.syscalls.perf import ioctl as ioctl
from skelgen.runtime.syscalls.perf import perf_event_open as perf_event_open
from skelgen.runtime.syscalls.progs import ProgQuery as ProgQuery
from skelgen.runtime.syscalls.progs import TestRun as TestRun
from skelgen.runtime.syscalls.progs import prog_attach as prog_attach
from skelgen.runtime.syscalls.progs import prog_bind_map as prog_bind_map
from skelgen.runtime.syscalls.progs import prog_detach as prog_detach
from skelgen.runtime.syscalls.progs import prog_load as prog_load
from skelgen.runtime.syscalls.progs import prog_query as prog_query
from skelgen.runtime.syscalls.progs import prog_stream_read as prog_stream_read
from skelgen.runtime.syscalls.progs import prog_test_run as prog_test_run
from skelgen.runtime.syscalls.progs import raw_tracepoint_open as raw_tracepoint_open
