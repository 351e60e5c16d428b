"""Write skelgen/include/vmlinux/vmlinux.h: kernel types that most programs do with.

    python tools/gen_vmlinux.py [--check]

For build machines without kernel BTF, and so that a program compiles to the same on
all of them. Two sources, both of them facts:

* BTF of the running kernel: the types named below, and what they need;
* the UAPI headers in the ziglang wheel: registers of the other architectures, as
  ``<asm/bpf_perf_event.h>`` exports them to BPF programs.

Members are looked up in the kernel that loads the program (CO-RE), so their offsets
here do not matter. What does is which ones there are, and that follows from the kernel
and its configuration: where a later kernel is taken, look at what goes.

With ``--check`` nothing is written; the exit status is 1 if the file would change.
"""

import fnmatch
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from skelgen.btf import Kind
from skelgen.btf.dump_header import header
from skelgen.btf.elf import elf_section
from skelgen.btf.parse import Btf
from skelgen.btf.types import DeclTag, Enum, Enum64
from skelgen.compiler import clang
from skelgen.compiler.targets import TARGETS

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")
HEADER = clang.INCLUDE / "vmlinux" / "vmlinux.h"

_NAMED = {Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.TYPEDEF, Kind.FWD}


class Group(NamedTuple):
    """Types that are wanted for one reason."""

    reason: str
    names: str
    """Patterns of names; ``{X`` is a nameless enumeration with such a constant."""


INTEGERS = Group(
    "what the kernel calls its integers, in every program there is",
    "__u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64 u8 u16 u32 u64 s8 s16 s32 s64"
    " bool size_t ssize_t uintptr_t loff_t off_t pid_t uid_t gid_t kuid_t kgid_t"
    " dev_t umode_t sector_t gfp_t fmode_t ktime_t time64_t clockid_t blk_opf_t"
    " blk_status_t atomic_t atomic64_t atomic_long_t refcount_t spinlock_t"
    " raw_spinlock_t cpumask_t __be16 __be32 __be64 __le16 __le32 __le64 __sum16"
    " __wsum sa_family_t __kernel_size_t __kernel_pid_t __kernel_time64_t"
    " __kernel_loff_t netdev_features_t int8_t int16_t int32_t int64_t uint8_t uint16_t"
    " uint32_t uint64_t key_t rwf_t",
)

GROUPS = (
    Group(
        "contexts of programs: what the first argument points to",
        "__sk_buff xdp_md sk_msg_md sk_reuseport_md bpf_sock_ops bpf_sock_addr bpf_sock"
        " bpf_tcp_sock bpf_sock_tuple bpf_sk_lookup bpf_sockopt bpf_sysctl bpf_nf_ctx"
        " bpf_cgroup_dev_ctx bpf_perf_event_data bpf_raw_tracepoint_args bpf_flow_keys"
        " bpf_ct_opts bpf_user_pt_regs_t bpf_iter_meta bpf_iter__*",
    ),
    Group(
        "UAPI of BPF: flags, results, and what helpers and kfuncs take",
        "{true {BPF_* {XDP_* {BTF_* bpf_attach_type bpf_map_type bpf_prog_type bpf_cmd"
        " bpf_func_id bpf_ret_code bpf_hdr_start_off bpf_adj_room_mode bpf_lwt_encap_mode"
        " bpf_addr_space_cast bpf_cgroup_iter_order bpf_iter_task_type bpf_core_relo_kind"
        " bpf_text_poke_type bpf_task_fd_type bpf_stack_build_id_status tcx_action_base"
        " bpf_check_mtu_flags bpf_check_mtu_ret bpf_kfunc_flags bpf_dynptr_type"
        " xdp_action xdp_buff_flags xdp_rss_hash_type xdp_buff xdp_frame xdp_rxq_info"
        " bpf_attr bpf_insn bpf_spin_lock bpf_res_spin_lock bpf_timer bpf_wq bpf_dynptr"
        " bpf_list_head bpf_list_node bpf_rb_root bpf_rb_node bpf_refcount bpf_cpumask"
        " bpf_iter_* bpf_fib_lookup bpf_redir_neigh bpf_tunnel_key bpf_xfrm_state"
        " bpf_pidns_info bpf_perf_event_value bpf_stack_build_id bpf_devmap_val"
        " bpf_cpumap_val bpf_lpm_trie_key_u8 bpf_cgroup_storage_key"
        " bpf_dynptr_kern bpf_map bpf_prog bpf_prog_aux bpf_link bpf_map_ops btf_ptr"
        " bpf_xfrm_state_opts bpf_crypto_params bpf_run_ctx",
    ),
    Group(
        "processes: task_struct and what tools follow from it",
        "task_struct mm_struct vm_area_struct thread_info cred group_info nsproxy pid"
        " upid pid_type signal_struct sighand_struct kernel_siginfo pid_namespace"
        " uts_namespace new_utsname user_namespace mnt_namespace ipc_namespace"
        " files_struct fdtable fs_struct linux_binprm io_context task_group rq cfs_rq"
        " sched_entity kernel_clone_args percpu_counter audit_context"
        " taskstats task_delay_info rlimit work_struct workqueue_struct delayed_work"
        " timer_list hrtimer wait_queue_head mutex rw_semaphore irqaction irq_desc"
        " softirq_action kthread_work completion kref list_head hlist_head hlist_node"
        " rb_node rb_root callback_head {MM_* timespec64 __kernel_timespec"
        " perf_event perf_sample_data perf_event_attr perf_type_id perf_hw_id"
        " perf_sw_ids perf_event_sample_format perf_branch_entry kernel_stat"
        " kernel_cpustat",
    ),
    Group(
        "control groups",
        "cgroup css_set cgroup_subsys_state cgroup_root cgroup_subsys cgroup_subsys_id"
        " mem_cgroup kernfs_node kernfs_root cgroup_namespace",
    ),
    Group(
        "files",
        "file path dentry inode qstr super_block file_system_type vfsmount mount"
        " mountpoint address_space page folio kiocb iov_iter filename kstat iattr"
        " file_operations inode_operations super_operations file_lock fown_struct"
        " open_how seq_file pipe_inode_info poll_table_struct",
    ),
    Group(
        "network, from the packet to the socket",
        "sk_buff skb_shared_info sock sock_common inet_sock inet_connection_sock"
        " tcp_sock tcp_request_sock tcp_timewait_sock inet_request_sock request_sock"
        " udp_sock unix_sock raw_sock netlink_sock tcp6_sock udp6_sock socket proto"
        " proto_ops sockaddr sockaddr_in sockaddr_in6 sockaddr_un in_addr in6_addr"
        " msghdr user_msghdr __kernel_sockaddr_storage net net_device net_device_ops ethhdr"
        " vlan_hdr vlan_ethhdr arphdr iphdr ipv6hdr ipv6_opt_hdr frag_hdr tcphdr udphdr"
        " icmphdr icmp6hdr neighbour dst_entry rtable fib6_info nf_conn nf_hook_state"
        " nf_conntrack_tuple napi_struct Qdisc softnet_data tcp_congestion_ops"
        " ack_sample rate_sample tcp_skb_cb tcp_ca_event {TCP_* {TCPF_* {IPPROTO_*"
        " sock_type socket_state skb_drop_reason sk_pacing nf_inet_hooks"
        " ip_conntrack_info ip_conntrack_status",
    ),
    Group(
        "block devices",
        "bio bio_vec bvec_iter request request_queue gendisk block_device req_op"
        " req_flag_bits blk_mq_hw_ctx blk_mq_ctx blk_mq_req_flags_t mq_rq_state"
        " elevator_queue",
    ),
    Group(
        "tracepoints that tools attach to",
        "trace_entry trace_event_raw_sys_enter trace_event_raw_sys_exit"
        " trace_event_raw_sched_* trace_event_raw_task_* trace_event_raw_signal_*"
        " trace_event_raw_block_* trace_event_raw_irq_* trace_event_raw_softirq"
        " trace_event_raw_timer_* trace_event_raw_hrtimer_* trace_event_raw_workqueue_*"
        " trace_event_raw_cgroup* trace_event_raw_kmem* trace_event_raw_kmalloc"
        " trace_event_raw_kfree trace_event_raw_mm_page_* trace_event_raw_mm_vmscan_*"
        " trace_event_raw_rss_stat trace_event_raw_mm_compaction_*"
        " trace_event_raw_mm_filemap_* trace_event_raw_oom* trace_event_raw_mark_victim"
        " trace_event_raw_net_dev_* trace_event_raw_kfree_skb"
        " trace_event_raw_consume_skb trace_event_raw_skb_copy_datagram_iovec"
        " trace_event_raw_inet_sock_set_state trace_event_raw_inet_sk_error_report"
        " trace_event_raw_tcp_* trace_event_raw_udp_* trace_event_raw_sock_*"
        " trace_event_raw_napi_poll trace_event_raw_qdisc_* trace_event_raw_neigh*"
        " trace_event_raw_fib* trace_event_raw_xdp_*"
        " trace_event_raw_cpu* trace_event_raw_pstate_sample"
        " trace_event_raw_writeback_* trace_event_raw_global_dirty_state"
        " trace_event_raw_io_uring_* trace_event_raw_page_* trace_event_raw_bpf_*"
        " trace_event_raw_contention_* trace_event_raw_percpu_* syscall_trace_enter"
        " syscall_trace_exit trace_event_class trace_event_call tracepoint",
    ),
    Group(
        "what else the programs of twenty public projects name",
        "tty_struct tty_driver module oom_control kmem_cache unix_address qdisc_skb_cb"
        " Qdisc_ops iter_type netlink_ext_ack sctphdr alloc_context kset"
        " {TASK_COMM_LEN {NR_SOFTIRQS timezone seq_operations pipe_buffer"
        " kvec perf_mmap_event kprobe vm_special_mapping uprobe_consumer"
        " winsize ktermios open_flags nlattr nlmsghdr mmsghdr pollfd compat_iovec"
        " compat_msghdr linux_dirent64 clone_args io_uring_params socket_alloc rt6_info"
        " neigh_table neigh_parms ctl_table kstatfs worker vm_event_state kthread"
        " sched_domain kernfs_open_file hrtimer_sleeper psi_group_cpu mempolicy"
        " {MPOL_BIND xdp_cpumap_stats bpf_task_work netdev_queue prctl_mm_map"
        " public_key_signature tty_file_private inet_frag_queue proto_accept_arg"
        " {TRACE_EVENT_FL_KPROBE cpufreq_policy"
        " fsnotify_group fsnotify_mark renamedata dma_buf futex_vector"
        " ip_conntrack_dir sk_action zone_stat_item dentry_flags latch_tree_root"
        " compat_mmsghdr __kernel_old_time_t sembuf flow_offload flow_offload_tuple_dir"
        " flow_offload_tuple_rhash",
    ),
)

# <asm/bpf_perf_event.h> has them for all of these; x86's are the kernel's own names.
ARCHS = ("arm64", "riscv", "s390", "powerpc", "arm", "mips", "loongarch")

_INTEGERS = re.compile(r"^typedef \w+ u?int\d+_t;\n", re.MULTILINE)

_ABOUT = """\
/* @generated by tools/gen_vmlinux.py. DO NOT EDIT.
 *
 * Types of the kernel (Linux {release}) that most BPF programs do with. Members are looked
 * up in the kernel that loads a program, so this serves all kernels that have them. A
 * vmlinux.h of your own, beside a source or in an include folder, comes before it:
 *
 *     skelgen btf dump --kernel -o bpf/vmlinux.h
 */
"""


def main() -> int:
    """Write the header, or compare it; return the exit status."""
    btf = Btf(KERNEL_BTF.read_bytes())
    text = make(btf)
    if "--check" in sys.argv[1:]:
        return int(HEADER.read_text("utf-8") != text)
    HEADER.parent.mkdir(exist_ok=True)
    HEADER.write_text(text, "utf-8")
    print(f"{HEADER}: {len(text)} bytes, {text.count(chr(10))} lines")
    return 0


def make(btf: Btf) -> str:
    """Return the header."""
    names = _names(btf)
    integers = list(_chosen(names, INTEGERS))
    others = [type_id for group in GROUPS for type_id in _chosen(names, group)]
    first = _body(header(btf, integers))
    whole = header(btf, [*integers, *others, *_kfuncs(btf)])
    frame, _, rest = whole.partition(first)
    x86 = _new(_body(header(btf, btf.find_all("bpf_user_pt_regs_t"))), first)
    for definition in x86:
        # defined with the other architectures' instead
        if definition not in rest:
            raise ValueError(f"not in the header: {definition}")
        rest = rest.replace(definition, "", 1)
    release = ".".join(platform.release().split(".")[:2])
    parts = (
        _ABOUT.format(release=release),
        frame,
        first,
        "\n",
        _registers("\n".join(x86)),
        rest,
    )
    return _INTEGERS.sub(_guarded, "".join(parts).replace("\n\n\n", "\n\n"))


def _guarded(found: re.Match[str]) -> str:
    """Leave the integers of <stdint.h> to that, where it comes first."""
    return f"#ifndef _STDINT_H\n{found[0]}#endif\n"


def _names(btf: Btf) -> dict[str, list[int]]:
    """Return types by name; nameless enumerations by ``{X`` of each constant."""
    found: dict[str, list[int]] = {}
    for type_id in btf.ids():
        if btf.kind(type_id) not in _NAMED:
            continue
        name = btf.name(type_id)
        enum = btf.type(type_id)
        if name:
            found.setdefault(name, []).append(type_id)
        elif isinstance(enum, Enum | Enum64):
            for constant in enum.values:
                found.setdefault("{" + constant.name, []).append(type_id)
    return found


def _chosen(names: dict[str, list[int]], group: Group) -> Iterator[int]:
    """Yield the types of a group; say which patterns match none."""
    for pattern in group.names.split():
        matching = [pattern] if pattern in names else fnmatch.filter(names, pattern)
        if not matching:
            print(f"not in this kernel: {pattern}", file=sys.stderr)
        for name in matching:
            yield names[name][0]  # of two with one name, what programs mean


def _new(text: str, known: str) -> list[str]:
    """Return the definitions in a text that ``known`` has not, one by one."""
    found: list[str] = []
    for part in text.split("\n\n"):
        lines = part.rstrip("\n") + "\n"
        whole = [lines] if "{" in lines else lines.splitlines(keepends=True)
        found += (one for one in whole if one not in known)
    return found


def _kfuncs(btf: Btf) -> Iterator[int]:
    for type_id in btf.find_all("bpf_kfunc", Kind.DECL_TAG):
        tag = btf.type(type_id)
        if isinstance(tag, DeclTag):
            yield tag.type_id


def _body(text: str) -> str:
    """Return the definitions of a header, without its frame and kfuncs."""
    text = text.partition("\n\n")[2].rpartition("\n#endif")[0]
    if "#pragma" in text:
        text = text.partition("#endif\n\n")[2].partition("\n#ifndef")[0]
    return text


def _registers(x86: str) -> str:
    """Return the registers that ``PT_REGS_PARM1()`` and the like read, for each."""
    text = "struct pt_regs;\n\n"
    for arch in ARCHS:
        word = "elif" if arch != ARCHS[0] else "if"
        text += f"#{word} defined(__TARGET_ARCH_{arch})\n{_exported(arch)}"
    return f"{text}#else /* x86, and where nobody asks for registers */\n{x86}#endif\n"


def _exported(arch: str) -> str:
    """Return what the UAPI headers of an architecture say of registers."""
    target = next(target for target in TARGETS.values() if target.arch == arch)
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "registers.bpf.c"), Path(folder, "registers.o")
        source.write_text(
            "#include <asm/bpf_perf_event.h>\nbpf_user_pt_regs_t *registers;\n", "utf-8"
        )
        options = clang.CompileOptions(target=target, cflags=("-D__BITS_PER_LONG=64",))
        compiler = clang.find_compiler({"PATH": ""})
        clang.compile_object(source, output, options=options, compiler=compiler)
        btf = Btf(elf_section(output.read_bytes(), ".BTF"))
    text = _body(header(btf, btf.find_all("bpf_user_pt_regs_t", Kind.TYPEDEF)))
    return text.replace("typedef unsigned long long __u64;\n\n", "")


if __name__ == "__main__":
    sys.exit(main())
