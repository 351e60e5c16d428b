// A shift by more bits than a register has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int grow(struct __sk_buff *skb)
{
	__u64 length = skb->len;

	asm volatile("%0 <<= 70" : "+r"(length));
	return length;
}

char LICENSE[] SEC("license") = "GPL";
