// The frame pointer is written.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int move(void *ctx)
{
	asm volatile("r10 += -8");
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
