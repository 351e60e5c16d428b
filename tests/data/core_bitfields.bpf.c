// CO-RE of bit-fields: shifts, sizes and signedness, read by probing and directly.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct {
	unsigned int sched_reset_on_fork : 1;
	unsigned int in_execve : 1;
	unsigned int no_new_privs : 1;
	int exit_code;
	int pid;
};
#pragma clang attribute pop

int reset, execve, exit_signed, whole;

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	reset = BPF_CORE_READ_BITFIELD(task, sched_reset_on_fork);
	execve = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
	whole = BPF_CORE_READ_BITFIELD(task, exit_code);
	exit_signed = __builtin_preserve_field_info(task->exit_code, BPF_FIELD_SIGNED) +
		      __builtin_preserve_field_info(task->in_execve, BPF_FIELD_SIGNED);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
