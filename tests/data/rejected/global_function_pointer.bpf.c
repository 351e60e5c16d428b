// A global function returns a pointer.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

__attribute__((noinline)) struct task_struct *find(void)
{
	asm volatile("");
	return 0;
}

SEC("socket")
int look(void *ctx)
{
	return find() != 0;
}

char LICENSE[] SEC("license") = "GPL";
