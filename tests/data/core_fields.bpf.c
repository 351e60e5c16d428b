// CO-RE field relocations: offset, size, existence, flavours, nesting, arrays, pointers.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct list_head {
	struct list_head *next, *prev;
};

struct mm_struct {
	unsigned long start_code;
};

struct task_struct {
	int tgid;
	int pid;
	struct task_struct *real_parent;
	struct list_head children;
	char comm[16];
	struct mm_struct *mm;
	unsigned long long utime;
	unsigned char no_such_byte;
	struct {
		int deeper;
	} no_such_struct;
};

struct task_struct___flavoured {
	int pid;
	long state;
	int exit_code;
};

struct no_such_struct_at_all {
	int field;
};
#pragma clang attribute pop

int pid, ppid, has_missing = -1, has_type = -1;
unsigned int comm_size, pid_size, comm_offset;
char comm[16];
unsigned long code;

SEC("tp/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct___flavoured *flavoured = (void *)task;

	pid = BPF_CORE_READ(task, pid);
	ppid = BPF_CORE_READ(task, real_parent, tgid);
	BPF_CORE_READ_STR_INTO(&comm, task, comm);
	code = BPF_CORE_READ(task, mm, start_code);
	comm_size = bpf_core_field_size(task->comm);
	pid_size = bpf_core_field_size(task->pid);
	comm_offset = bpf_core_field_offset(struct task_struct, comm);
	has_missing = bpf_core_field_exists(task->no_such_byte);
	if (has_missing)
		pid = BPF_CORE_READ(task, no_such_byte);
	if (bpf_core_field_exists(task->no_such_struct.deeper))
		pid = BPF_CORE_READ(task, no_such_struct.deeper);
	if (bpf_core_field_exists(flavoured->state))
		ppid += BPF_CORE_READ(flavoured, state);
	has_type = bpf_core_field_exists(struct no_such_struct_at_all, field);
	return BPF_CORE_READ(task, children.next) != 0 && BPF_CORE_READ(task, comm[3]);
}

char LICENSE[] SEC("license") = "GPL";
