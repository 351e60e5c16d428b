// A write beyond the 512 bytes of the stack.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int deep(void *ctx)
{
	asm volatile("r1 = 0\n"
		     "*(u64 *)(r10 - 520) = r1" ::: "r1", "memory");
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
