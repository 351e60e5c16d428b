// A member of the context that is read-only is written.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int relabel(struct xdp_md *ctx)
{
	ctx->rx_queue_index = 0;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
