// A global array is indexed with a number that is not checked.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 per_protocol[256];

SEC("socket")
int count(struct __sk_buff *skb)
{
	per_protocol[skb->protocol] += skb->len;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
