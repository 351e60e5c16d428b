// One program for each SEC() name of what is traced in kernel and programs.
#include "sections.h"

COUNT_HERE("kprobe/__x64_sys_getsid", kprobe, 0)
COUNT_HERE("kretprobe/__x64_sys_getsid", kretprobe, 0)
COUNT_HERE("kprobe.multi/__x64_sys_gets?d", kprobe_multi, 0)
COUNT_HERE("kretprobe.multi/__x64_sys_gets?d", kretprobe_multi, 0)
COUNT_HERE("kprobe.session/__x64_sys_gets?d", kprobe_session, 0)
COUNT_HERE("ksyscall/getsid", ksyscall, 0)
COUNT_HERE("kretsyscall/getsid", kretsyscall, 0)

COUNT_HERE("uprobe/libc.so.6:getppid", uprobe, 0)
COUNT_HERE("uprobe.s/libc.so.6:getppid", uprobe_s, 0)
COUNT_HERE("uretprobe/libc.so.6:getppid", uretprobe, 0)
COUNT_HERE("uretprobe.s/libc.so.6:getppid", uretprobe_s, 0)
COUNT_HERE("uprobe.multi/libc.so.6:getpp?d", uprobe_multi, 0)
COUNT_HERE("uprobe.multi.s/libc.so.6:getpp?d", uprobe_multi_s, 0)
COUNT_HERE("uretprobe.multi/libc.so.6:getpp?d", uretprobe_multi, 0)
COUNT_HERE("uretprobe.multi.s/libc.so.6:getpp?d", uretprobe_multi_s, 0)
COUNT_HERE("uprobe.session/libc.so.6:getpp?d", uprobe_session, 0)
COUNT_HERE("uprobe.session.s/libc.so.6:getpp?d", uprobe_session_s, 0)
COUNT_HERE("usdt/libc.so.6:libc:setjmp", usdt, 0)
COUNT_HERE("usdt.s/libc.so.6:libc:setjmp", usdt_s, 0)

COUNT_HERE("tracepoint/syscalls/sys_enter_getsid", tracepoint, 0)
COUNT_HERE("tracepoint.s/syscalls/sys_enter_getsid", tracepoint_s, 0)
COUNT_HERE("tp/syscalls/sys_exit_getsid", tp, 0)
COUNT_HERE("tp.s/syscalls/sys_exit_getsid", tp_s, 0)
COUNT_HERE("raw_tracepoint/sys_enter", raw_tracepoint, 0)
COUNT_HERE("raw_tracepoint.s/sys_enter", raw_tracepoint_s, 0)
COUNT_HERE("raw_tracepoint.w/bpf_test_finish", raw_tracepoint_w, 0)
COUNT_HERE("raw_tp/sys_exit", raw_tp, 0)
COUNT_HERE("raw_tp.s/sys_exit", raw_tp_s, 0)
COUNT_HERE("raw_tp.w/bpf_test_finish", raw_tp_w, 0)
COUNT_HERE("tp_btf/sys_enter", tp_btf, 0)
COUNT_HERE("tp_btf.s/sys_enter", tp_btf_s, 0)

/* bpf_fentry_test1() runs when a program of fentry is run by hand. */
COUNT_HERE("fentry/__x64_sys_getsid", fentry, 0)
COUNT_HERE("fentry.s/bpf_fentry_test1", fentry_s, 0)
COUNT_HERE("fexit/__x64_sys_getsid", fexit, 0)
COUNT_HERE("fexit.s/bpf_fentry_test1", fexit_s, 0)
COUNT_HERE("fmod_ret/security_task_getsid", fmod_ret, 0)
COUNT_HERE("fmod_ret.s/bpf_fentry_test1", fmod_ret_s, 0)
COUNT_HERE("fsession/bpf_fentry_test1", fsession, 0)
COUNT_HERE("fsession.s/bpf_fentry_test1", fsession_s, 0)
COUNT_HERE("fentry.multi/bpf_fentry_test*", fentry_multi, 0)
COUNT_HERE("fentry.multi.s/bpf_fentry_test*", fentry_multi_s, 0)
COUNT_HERE("fexit.multi/bpf_fentry_test*", fexit_multi, 0)
COUNT_HERE("fexit.multi.s/bpf_fentry_test*", fexit_multi_s, 0)
COUNT_HERE("fsession.multi/bpf_fentry_test*", fsession_multi, 0)
COUNT_HERE("fsession.multi.s/bpf_fentry_test*", fsession_multi_s, 0)
COUNT_HERE("lsm/task_getsid", lsm, 0)
COUNT_HERE("lsm.s/file_open", lsm_s, 0)

COUNT_HERE("iter/task", iter, 0)
COUNT_HERE("iter.s/task", iter_s, 0)
COUNT_HERE("syscall", syscall, 0)
COUNT_HERE("perf_event", perf_event, 0)

__u64 freplace_hits;

/* The arguments are those of the function that it replaces. */
SEC("freplace")
int on_freplace(struct xdp_md *ctx)
{
	freplace_hits++;
	return XDP_PASS;
}
