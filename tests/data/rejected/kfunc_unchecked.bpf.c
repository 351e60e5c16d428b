// What a kernel function returned is used without a test for NULL.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

int tgid;

SEC("syscall")
int look(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	tgid = task->tgid;
	bpf_task_release(task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
