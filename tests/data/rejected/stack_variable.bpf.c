// An array on the stack is indexed with a number that may be too large.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int pick(struct __sk_buff *skb)
{
	volatile char digits[16] = {};

	digits[3] = 1;
	return digits[skb->len & 31];
}

char LICENSE[] SEC("license") = "GPL";
