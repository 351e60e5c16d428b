// Data sections that end in an array, whose length can be chosen before load.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 slots = 1;
const volatile __u16 weights[1] SEC(".rodata.weights") = { 5 };
__u64 total;
__u32 counts[1];
int seeds[2] SEC(".data.seeds") = { 3, 4 };
struct pair {
	__u8 a;
	__u32 b;
} pairs[1] SEC(".bss.pairs");

SEC("socket")
int count(struct __sk_buff *skb)
{
	__u32 slot = skb->len;

	if (slot < slots && slot < 64)
		__sync_fetch_and_add(&counts[slot & 63], 1);
	total += weights[0] + seeds[0] + pairs[0].b;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
