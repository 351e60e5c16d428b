// A division by the constant zero.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int share(struct __sk_buff *skb)
{
	__u64 length = skb->len;

	asm volatile("%0 /= 0" : "+r"(length));
	return length;
}

char LICENSE[] SEC("license") = "GPL";
