// The context is read at an offset that is not a constant.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int control(struct __sk_buff *skb)
{
	__u32 index = skb->len & 3;

	asm volatile("%0 <<= 2" : "+r"(index));
	return *(__u32 *)((char *)skb->cb + index);
}

char LICENSE[] SEC("license") = "GPL";
