// Iterators that a program runs itself: numbers, and tasks (Linux 6.4 and 6.7).
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

struct bpf_iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
			     unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

int total;
int tasks;

SEC("socket")
int add_numbers(void *ctx)
{
	struct bpf_iter_num it;
	int *number;

	total = 0;
	bpf_iter_num_new(&it, 1, 101);
	while ((number = bpf_iter_num_next(&it)))
		total += *number;
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("?syscall")
int count_tasks(void *ctx)
{
	struct bpf_iter_task it;

	tasks = 0;
	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0 /* BPF_TASK_ITER_ALL_PROCS */);
	while (bpf_iter_task_next(&it))
		tasks++;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
