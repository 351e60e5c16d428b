// A program whose last instruction neither returns nor jumps.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
__attribute__((naked)) int endless(void)
{
	asm volatile("r0 = 0\n"
		     "r1 = 1");
}

char LICENSE[] SEC("license") = "GPL";
