// The end of the packet is dereferenced.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("xdp")
int last(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	__u32 word;

	asm volatile("%0 = *(u32 *)(%1 + 0)" : "=r"(word) : "r"(end));
	return word;
}

char LICENSE[] SEC("license") = "GPL";
