// Global functions, verified on their own: of the context, of memory, for others to replace.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sizes {
	__u32 packets;
	__u32 bytes;
};

struct sizes sizes;

__attribute__((noinline)) int decide(struct xdp_md *ctx)
{
	volatile int verdict = XDP_PASS;

	return ctx->data == ctx->data_end ? XDP_ABORTED : verdict;
}

__attribute__((noinline)) int add(struct sizes *sizes, __u32 length)
{
	if (!sizes)
		return -1;
	sizes->packets++;
	sizes->bytes += length;
	return sizes->packets;
}

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	struct sizes here = {};

	add(&here, ctx->data_end - ctx->data);
	sizes = here;
	return decide(ctx);
}

char LICENSE[] SEC("license") = "GPL";
