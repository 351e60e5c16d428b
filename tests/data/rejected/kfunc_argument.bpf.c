// A kernel function is given a pointer that the kernel does not vouch for.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

SEC("syscall")
int hold(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct *parent = task->real_parent->real_parent;
	struct task_struct *held = bpf_task_acquire(parent);

	if (held)
		bpf_task_release(held);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
