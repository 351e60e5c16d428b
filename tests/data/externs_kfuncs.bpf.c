// Kernel functions: called, weak, and one whose address is tested (Linux 6.7).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

int found = -1;

SEC("syscall")
int look(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	found = task != 0;
	if (task)
		bpf_task_release(task);
	if (bpf_rcu_read_lock && bpf_rcu_read_unlock) {
		bpf_rcu_read_lock();
		bpf_rcu_read_unlock();
	}
	return found;
}

char LICENSE[] SEC("license") = "GPL";
