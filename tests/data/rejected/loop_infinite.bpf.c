// A loop whose condition never changes.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int wait(struct __sk_buff *skb)
{
	asm volatile("1: if %0 != 0 goto 1b" : : "r"(1L));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
