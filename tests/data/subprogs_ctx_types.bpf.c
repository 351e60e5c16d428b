// One global function with arg:ctx, called by programs of several types.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define tag(text) __attribute__((btf_decl_tag(text)))

int seen;

__noinline int look(void *ctx tag("arg:ctx"), int add)
{
	seen += add;
	return ctx ? bpf_get_prandom_u32() | 1 : 0;
}

SEC("tc")
int classify(struct __sk_buff *skb)
{
	return look(skb, 1) != 0;
}

SEC("xdp")
int receive(struct xdp_md *ctx)
{
	return look(ctx, 10) != 0;
}

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return look(skb, 100) != 0;
}

char LICENSE[] SEC("license") = "GPL";
