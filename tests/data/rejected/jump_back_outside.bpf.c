// A jump to before the program.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("socket")
int leave(void *ctx)
{
	asm volatile("r0 = 0; if r0 == 1 goto -1000" ::: "r0");
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
