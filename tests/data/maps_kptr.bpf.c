// Pointers to kernel objects that map values keep (Linux 6.2).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

struct kept {
	__u64 changes;
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} tasks SEC(".maps");

SEC("syscall")
int keep(void *ctx)
{
	struct task_struct *task, *before;
	struct kept *kept;
	__u32 zero = 0;

	kept = bpf_map_lookup_elem(&tasks, &zero);
	if (!kept)
		return 1;
	task = bpf_task_acquire((void *)bpf_get_current_task_btf());
	if (!task)
		return 2;
	kept->changes++;
	before = bpf_kptr_xchg(&kept->task, task);
	if (before)
		bpf_task_release(before);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
