// Instructions that no path comes to.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
__attribute__((naked)) int twice(void)
{
	asm volatile("r0 = 0\n"
		     "exit\n"
		     "r0 = 1\n"
		     "exit");
}

char LICENSE[] SEC("license") = "GPL";
