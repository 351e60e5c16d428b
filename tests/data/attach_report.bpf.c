// Programs whose SEC() says where to attach, not all of it, or nothing.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 calls;

SEC("tp/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	calls++;
	return 0;
}

SEC("?tp/syscalls/sys_exit_getppid")
int on_demand(void *ctx)
{
	return 0;
}

SEC("?tp/syscalls/sys_enter_skelgen_nothing")
int on_nothing(void *ctx)
{
	return 0;
}

SEC("xdp")
int on_packet(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("perf_event")
int on_sample(void *ctx)
{
	return 0;
}

SEC("cgroup/connect4")
int on_connect(void *ctx)
{
	return 1;
}

SEC("uprobe")
int on_call(void *ctx)
{
	return 0;
}

SEC("?usdt/libc.so.6:libc:setjmp")
int on_jump(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
