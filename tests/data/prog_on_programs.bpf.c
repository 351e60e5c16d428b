// Programs for other programs: a target, what replaces a function of it, what traces it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct xdp_buff;

__u64 entered;
__u64 left;

__attribute__((noinline)) int verdict(struct xdp_md *ctx)
{
	volatile int result = XDP_PASS;

	return ctx ? result : XDP_ABORTED;
}

SEC("xdp")
int target(struct xdp_md *ctx)
{
	return verdict(ctx);
}

SEC("?freplace/verdict")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("?fentry/target")
int BPF_PROG(enter, struct xdp_buff *buff)
{
	entered++;
	return 0;
}

SEC("?fexit")
int BPF_PROG(leave, struct xdp_buff *buff, int result)
{
	left += result;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
