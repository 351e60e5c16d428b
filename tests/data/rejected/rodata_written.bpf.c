// A constant is written.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 limit = 5;

SEC("socket")
int raise(struct __sk_buff *skb)
{
	*(volatile __u32 *)&limit = skb->len;
	return limit;
}

char LICENSE[] SEC("license") = "GPL";
