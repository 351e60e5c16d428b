// Four bytes of a pointer in a kernel struct are read.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

SEC("syscall")
int peek(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return *(__u32 *)&task->real_parent;
}

char LICENSE[] SEC("license") = "GPL";
