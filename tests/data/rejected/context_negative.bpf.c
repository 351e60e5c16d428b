// The context is read before its start.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int before(struct __sk_buff *skb)
{
	return *(int *)((char *)skb - 8);
}

char LICENSE[] SEC("license") = "GPL";
