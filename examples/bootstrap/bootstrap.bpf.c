// Reports every program that starts and every process that ends.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

// As much of the kernel's struct as is read here. Where the fields really are is
// found out when the program is loaded (CO-RE), so one object runs on every kernel.
struct task_struct {
	int tgid;
	int exit_code;
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

enum event_kind {
	EVENT_EXEC,
	EVENT_EXIT,
};

struct event {
	enum event_kind kind;
	int pid;
	int ppid;
	int exit_code;                  // of EVENT_EXIT: what was given to exit()
	int signal;                     // of EVENT_EXIT: what killed it, or 0
	char comm[16];
	unsigned long long duration_ns; // of EVENT_EXIT: since exec, or 0 if not seen
};

// Set before load: be silent about exec, and about processes that ended sooner.
const volatile unsigned long long min_duration_ns;

// Events that found no room, because nobody read the ring buffer fast enough.
unsigned long long lost;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, int);
	__type(value, unsigned long long);
} exec_start SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} rb SEC(".maps");

static struct event *new_event(enum event_kind kind, int pid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct event *event = bpf_ringbuf_reserve(&rb, sizeof(*event), 0);

	if (!event) {
		__atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
		return 0;
	}
	event->kind = kind;
	event->pid = pid;
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->exit_code = 0;
	event->signal = 0;
	event->duration_ns = 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	return event;
}

SEC("tp/sched/sched_process_exec")
int handle_exec(void *ctx)
{
	int pid = bpf_get_current_pid_tgid() >> 32;
	unsigned long long now = bpf_ktime_get_ns();
	struct event *event;

	bpf_map_update_elem(&exec_start, &pid, &now, BPF_ANY);
	if (min_duration_ns)
		return 0;
	event = new_event(EVENT_EXEC, pid);
	if (event)
		bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tp/sched/sched_process_exit")
int handle_exit(void *ctx)
{
	unsigned long long id = bpf_get_current_pid_tgid();
	int pid = id >> 32, thread = id;
	struct task_struct *task = (void *)bpf_get_current_task();
	unsigned long long *start, duration = 0;
	struct event *event;
	int code;

	if (pid != thread) // a thread ends, not the process
		return 0;
	start = bpf_map_lookup_elem(&exec_start, &pid);
	if (start)
		duration = bpf_ktime_get_ns() - *start;
	bpf_map_delete_elem(&exec_start, &pid);
	if (duration < min_duration_ns)
		return 0;
	event = new_event(EVENT_EXIT, pid);
	if (!event)
		return 0;
	code = BPF_CORE_READ(task, exit_code);
	event->exit_code = (code >> 8) & 0xff;
	event->signal = code & 0x7f;
	event->duration_ns = duration;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
