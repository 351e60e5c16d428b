// A loop with more rounds than the verifier follows.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int spin(struct __sk_buff *skb)
{
	volatile __u32 sum = 0;

	for (__u32 i = 0; i < 10000000; i++)
		sum += i;
	return sum;
}

char LICENSE[] SEC("license") = "GPL";
