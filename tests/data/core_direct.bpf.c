// CO-RE of direct loads of every width, sign-extending none, through BTF pointers.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kuid_t___local {
	unsigned int val;
};

struct cred {
	struct {
		unsigned int val;
	} uid;
};

struct signal_struct {
	int nr_threads;
};

struct task_struct {
	int pid;
	unsigned int flags;
	unsigned long long start_time;
	unsigned char no_such_u8;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	const struct cred *cred;
	char comm[16];
};
#pragma clang attribute pop

int pid, leader, threads;
unsigned int flags, uid;
unsigned long long start;
char first;

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	pid = task->pid;
	flags = task->flags;
	start = task->start_time;
	leader = task->group_leader->pid;
	threads = task->signal->nr_threads;
	uid = task->cred->uid.val;
	first = task->comm[0];
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
