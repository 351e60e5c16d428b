// SPDX-License-Identifier: BSD-2-Clause
/* examples/bootstrap as BCC wants it, for benchmarks/start.py; read by bcc.BPF alone. */
#include <linux/sched.h>

struct event {
	int kind, pid, ppid, exit_code, signal;
	char comm[16];
	u64 duration_ns;
};

BPF_HASH(exec_start, int, u64, 8192);
BPF_RINGBUF_OUTPUT(rb, 64);
BPF_ARRAY(lost, u64, 1);

static struct event *new_event(int kind, int pid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct event *event = rb.ringbuf_reserve(sizeof(*event));

	if (!event) {
		lost.increment(0);
		return 0;
	}
	event->kind = kind;
	event->pid = pid;
	event->ppid = task->real_parent->tgid;
	event->exit_code = 0;
	event->signal = 0;
	event->duration_ns = 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	return event;
}

int handle_exec(void *ctx)
{
	int pid = bpf_get_current_pid_tgid() >> 32;
	u64 now = bpf_ktime_get_ns();
	struct event *event;

	exec_start.update(&pid, &now);
	event = new_event(0, pid);
	if (event)
		rb.ringbuf_submit(event, 0);
	return 0;
}

int handle_exit(void *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	int pid = id >> 32, thread = id;
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 *start, duration = 0;
	struct event *event;

	if (pid != thread)
		return 0;
	start = exec_start.lookup(&pid);
	if (start)
		duration = bpf_ktime_get_ns() - *start;
	exec_start.delete(&pid);
	event = new_event(1, pid);
	if (!event)
		return 0;
	event->exit_code = (task->exit_code >> 8) & 0xff;
	event->signal = task->exit_code & 0x7f;
	event->duration_ns = duration;
	rb.ringbuf_submit(event, 0);
	return 0;
}
