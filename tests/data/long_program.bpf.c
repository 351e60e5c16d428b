// One long program: an unrolled loop of some thousand instructions.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 table[512];
const volatile __u64 factor = 31;

SEC("tc")
int mix(struct __sk_buff *skb)
{
	__u64 hash = skb->len;

#pragma unroll
	for (int i = 0; i < 512; i++) {
		hash = (hash ^ table[i]) * factor;
		table[i] = hash;
	}
	return hash;
}

char LICENSE[] SEC("license") = "GPL";
