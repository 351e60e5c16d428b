// CO-RE relocations that fail: one in dead code, one that the verifier reaches.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct {
	int pid;
	int no_such_field;
};
#pragma clang attribute pop

int value;

SEC("tp/syscalls/sys_enter_getppid")
int dead_code(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (bpf_core_field_exists(task->no_such_field))
		value = BPF_CORE_READ(task, no_such_field);
	return 0;
}

SEC("?tp/syscalls/sys_enter_getppid")
int reached(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	value = BPF_CORE_READ(task, no_such_field);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
