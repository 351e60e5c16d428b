// A field behind the end of a kernel struct.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	char rest[1 << 20];
	int no_field;
};

SEC("syscall")
int peek(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->no_field;
}

char LICENSE[] SEC("license") = "GPL";
