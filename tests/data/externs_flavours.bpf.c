// Kernel functions by names with a flavour: one that fits, and one of another prototype.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_from_pid___one_argument(int pid) __weak __ksym;
extern struct task_struct *bpf_task_from_pid___two_arguments(int pid, void *ns) __weak __ksym;
extern void bpf_task_release(struct task_struct *task) __weak __ksym;

int chosen;

SEC("syscall")
int look(void *ctx)
{
	struct task_struct *task = 0;

	if (bpf_task_from_pid___two_arguments) {
		chosen = 2;
		task = bpf_task_from_pid___two_arguments(1, 0);
	} else if (bpf_task_from_pid___one_argument) {
		chosen = 1;
		task = bpf_task_from_pid___one_argument(1);
	}
	if (task)
		bpf_task_release(task);
	return chosen;
}

char LICENSE[] SEC("license") = "GPL";
