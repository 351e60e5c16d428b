// How long tasks wait for a processor, from wake-up to switch.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define TASK_RUNNING 0

// Before Linux 5.14 the member had no underscores.
struct task_struct___old {
	volatile long state;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, pid_t);
	__type(value, u64);
} waiting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, u64);
} slots SEC(".maps");

u64 idle_switches;

static long state_of(struct task_struct *task)
{
	struct task_struct___old *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return BPF_CORE_READ(old, state);
}

static int enqueue(struct task_struct *task)
{
	pid_t pid = BPF_CORE_READ(task, pid);
	u64 now = bpf_ktime_get_ns();

	if (!pid || !BPF_CORE_READ(task, mm))
		return 0;
	bpf_map_update_elem(&waiting, &pid, &now, BPF_ANY);
	return 0;
}

SEC("raw_tp/sched_wakeup")
int BPF_PROG(wakeup, struct task_struct *task)
{
	return enqueue(task);
}

SEC("raw_tp/sched_wakeup_new")
int BPF_PROG(wakeup_new, struct task_struct *task)
{
	return enqueue(task);
}

SEC("raw_tp/sched_switch")
int BPF_PROG(handle_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	pid_t pid = BPF_CORE_READ(next, pid);
	u64 *began, *count, waited;
	u32 slot = 0;

	if (state_of(prev) == TASK_RUNNING)
		enqueue(prev);
	if (!pid)
		__sync_fetch_and_add(&idle_switches, 1);
	began = bpf_map_lookup_elem(&waiting, &pid);
	if (!began)
		return 0;
	waited = (bpf_ktime_get_ns() - *began) / 1000;
	while (waited > 1 && slot < 63) {
		waited >>= 1;
		slot++;
	}
	count = bpf_map_lookup_elem(&slots, &slot);
	if (count)
		*count += 1;
	bpf_map_delete_elem(&waiting, &pid);
	return 0;
}

SEC("tp/sched/sched_process_exit")
int handle_exit(struct trace_event_raw_sched_process_template *ctx)
{
	pid_t pid = ctx->pid;

	bpf_map_delete_elem(&waiting, &pid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
