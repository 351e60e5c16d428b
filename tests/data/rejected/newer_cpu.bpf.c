// Sign-extending loads, which kernels before 6.6 do not know.
// cflags: -mcpu=v4
// only: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

volatile int number;

SEC("socket")
int widen(struct __sk_buff *skb)
{
	long wide = number;

	return wide < 0;
}

char LICENSE[] SEC("license") = "GPL";
