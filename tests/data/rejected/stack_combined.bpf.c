// Functions that call each other take more than 512 bytes of stack together.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __noinline int inner(void *ctx)
{
	char line[400] = {};

	bpf_skb_load_bytes(ctx, 0, line, sizeof(line));
	return line[7];
}

SEC("socket")
int outer(struct __sk_buff *skb)
{
	char head[200] = {};

	bpf_skb_load_bytes(skb, 0, head, sizeof(head));
	return inner(skb) + head[3];
}

char LICENSE[] SEC("license") = "GPL";
