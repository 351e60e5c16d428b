// SPDX-License-Identifier: BSD-2-Clause
/* What benchmarks/load.py loads: thirty CO-RE relocations of every kind, over types
 * that many others of the kernel refer to.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct nsproxy;

struct list_head {
	struct list_head *next;
} CORE;

struct pid_namespace {
	unsigned int level;
} CORE;

struct upid {
	int nr;
	struct pid_namespace *ns;
} CORE;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} CORE;

struct user_namespace {
	int level;
} CORE;

struct cred {
	struct user_namespace *user_ns;
} CORE;

struct inode {
	unsigned long i_ino;
	unsigned short i_mode;
} CORE;

struct qstr {
	const unsigned char *name;
} CORE;

struct dentry {
	struct qstr d_name;
	struct inode *d_inode;
	struct dentry *d_parent;
} CORE;

struct path {
	struct dentry *dentry;
} CORE;

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
} CORE;

struct mm_struct {
	struct file *exe_file;
	unsigned long total_vm;
	unsigned long arg_start;
} CORE;

struct signal_struct {
	int nr_threads;
} CORE;

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	unsigned int flags;
	unsigned long start_time;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	struct pid *thread_pid;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	const struct cred *real_cred;
	struct list_head children;
	long state;
	unsigned int __state;
} CORE;

struct sock_common {
	unsigned short skc_family;
} CORE;

struct sock {
	struct sock_common __sk_common;
	int sk_err;
} CORE;

struct absent {
	int nothing;
} CORE;

enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID,
};

struct report {
	unsigned long values[16];
	unsigned char name[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} reports SEC(".maps");

SEC("tp/sched/sched_process_exec")
int on_exec(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct report *report = bpf_ringbuf_reserve(&reports, sizeof(*report), 0);
	const unsigned char *name;

	if (!report)
		return 0;
	report->values[0] = BPF_CORE_READ(task, real_parent, tgid);
	report->values[1] = BPF_CORE_READ(task, group_leader, pid);
	report->values[2] = BPF_CORE_READ(task, mm, exe_file, f_inode, i_ino);
	report->values[3] = BPF_CORE_READ(task, mm, total_vm);
	report->values[4] = BPF_CORE_READ(task, thread_pid, numbers[0].nr);
	report->values[5] = BPF_CORE_READ(task, thread_pid, numbers[0].ns, level);
	report->values[6] = BPF_CORE_READ(task, real_cred, user_ns, level);
	report->values[7] = BPF_CORE_READ(task, start_time);
	report->values[8] = BPF_CORE_READ(task, flags);
	report->values[9] = BPF_CORE_READ(task, signal, nr_threads);
	report->values[10] = bpf_core_type_size(struct task_struct);
	report->values[11] = bpf_core_enum_value(enum pid_type, PIDTYPE_TGID);
	report->values[12] = bpf_core_type_exists(struct absent);
	if (bpf_core_field_exists(task->__state))
		report->values[13] = BPF_CORE_READ(task, __state);
	else
		report->values[13] = BPF_CORE_READ(task, state);
	report->values[14] = bpf_core_field_offset(struct sock, sk_err) +
			     bpf_core_field_size(struct sock, __sk_common);
	report->values[15] = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_inode,
					   i_mode);
	name = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name);
	bpf_probe_read_kernel_str(report->name, sizeof(report->name), name);
	bpf_ringbuf_submit(report, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
