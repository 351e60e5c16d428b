// A kernel struct is read before its start.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct;

SEC("syscall")
int peek(void *ctx)
{
	char *task = (char *)bpf_get_current_task_btf();

	return *(int *)(task - 8);
}

char LICENSE[] SEC("license") = "GPL";
