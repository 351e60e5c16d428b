// A register is read that nothing was written to.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int sum(void *ctx)
{
	long result;

	asm volatile("%0 = r7" : "=r"(result));
	return result;
}

char LICENSE[] SEC("license") = "GPL";
