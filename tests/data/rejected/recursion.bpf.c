// A function that calls itself.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __noinline int factorial(int n)
{
	return n < 2 ? 1 : n * factorial(n - 1) + (int)bpf_get_prandom_u32();
}

SEC("socket")
int compute(struct __sk_buff *skb)
{
	return factorial(skb->len);
}

char LICENSE[] SEC("license") = "GPL";
