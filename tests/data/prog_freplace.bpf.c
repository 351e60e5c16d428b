// A program that replaces a function of another one; its target is set by hand.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("freplace")
int replacement(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("freplace/global_function")
int named(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
