// A loop with may_goto, which kernels before 6.9 do not know.
// only: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int wait(struct __sk_buff *skb)
{
	asm volatile("1: may_goto 2f\n"
		     "goto 1b\n"
		     "2:");
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
