// Tracepoints: tp/ and tracepoint/, two programs in one section, and a bare one.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 execs;
__u64 ppids;
__u64 twice;

SEC("tp/sched/sched_process_exec")
int on_exec(void *ctx)
{
	__sync_fetch_and_add(&execs, 1);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	__sync_fetch_and_add(&ppids, 1);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getppid")
int on_getppid_too(void *ctx)
{
	__sync_fetch_and_add(&twice, 1);
	return 0;
}

SEC("tp")
int bare(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
