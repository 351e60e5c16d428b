// A jump out of the program.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("socket")
int leave(void *ctx)
{
	asm volatile("goto +2000");
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
