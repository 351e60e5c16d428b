// A pointer is subtracted from a number.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int minus(struct __sk_buff *skb)
{
	__u64 length = skb->len;

	asm volatile("%0 -= r10" : "+r"(length));
	return length;
}

char LICENSE[] SEC("license") = "GPL";
