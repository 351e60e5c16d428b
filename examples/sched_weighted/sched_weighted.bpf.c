// A scheduler: one queue for all processors, in the order of the time tasks had by weight.
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

// What is used of the kernel's types; the loader finds offsets and values.
struct sched_ext_entity {
	__u32 weight; // 100 for a nice value of 0
	__u64 dsq_vtime; // nanoseconds, fewer for who has more weight
} __attribute__((preserve_access_index));

struct task_struct {
	struct sched_ext_entity scx;
} __attribute__((preserve_access_index));

enum scx_exit_kind {
	SCX_EXIT_NONE,
};

struct scx_exit_info {
	enum scx_exit_kind kind;
	const char *reason;
} __attribute__((preserve_access_index));

enum scx_dsq_id_flags {
	SCX_DSQ_LOCAL = 1,
};

struct sched_ext_ops {
	__s32 (*select_cpu)(struct task_struct *task, __s32 last, __u64 flags);
	void (*enqueue)(struct task_struct *task, __u64 flags);
	void (*dispatch)(__s32 cpu, struct task_struct *last);
	void (*running)(struct task_struct *task);
	void (*stopping)(struct task_struct *task, _Bool runnable);
	void (*enable)(struct task_struct *task);
	__s32 (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	__u32 timeout_ms;
	char name[128];
};

extern __s32 scx_bpf_create_dsq(__u64 queue, __s32 node) __ksym;
extern __s32 scx_bpf_select_cpu_dfl(struct task_struct *task, __s32 last, __u64 flags,
				    _Bool *idle) __ksym;
extern void scx_bpf_dsq_insert(struct task_struct *task, __u64 queue, __u64 slice,
			       __u64 flags) __ksym;
extern void scx_bpf_dsq_insert_vtime(struct task_struct *task, __u64 queue, __u64 slice,
				     __u64 vtime, __u64 flags) __ksym;
extern _Bool scx_bpf_dsq_move_to_local(__u64 queue) __ksym;
extern __s32 scx_bpf_task_cpu(const struct task_struct *task) __ksym;

#define QUEUE 0
#define NORMAL_WEIGHT 100
#define CPUS 4096

// A task runs so many nanoseconds before another one has its turn.
const volatile __u64 slice = 5000000;

// Runs that began at once on an idle processor, and those that waited in the queue.
__u64 at_once, queued;
// Why the kernel took the scheduler away, enum scx_exit_kind; 0 while it runs.
__u32 exit_kind;
char exit_reason[128];
// The time of a task that has just begun to run; no other one is far behind it.
static __u64 now;
// When the task that a processor runs began to.
static __u64 began[CPUS];

SEC("struct_ops")
__s32 BPF_PROG(on_select_cpu, struct task_struct *task, __s32 last, __u64 flags)
{
	_Bool idle = 0;
	__s32 cpu = scx_bpf_select_cpu_dfl(task, last, flags, &idle);

	if (idle) {
		__u64 local = bpf_core_enum_value(enum scx_dsq_id_flags, SCX_DSQ_LOCAL);

		scx_bpf_dsq_insert(task, local, slice, 0);
		__sync_fetch_and_add(&at_once, 1);
	}
	return cpu;
}

// No processor is idle. Whoever slept for long is no more than a slice ahead of others.
SEC("struct_ops")
void BPF_PROG(on_enqueue, struct task_struct *task, __u64 flags)
{
	__u64 vtime = task->scx.dsq_vtime;

	if ((__s64)(vtime - (now - slice)) < 0)
		vtime = now - slice;
	scx_bpf_dsq_insert_vtime(task, QUEUE, slice, vtime, flags);
	__sync_fetch_and_add(&queued, 1);
}

// A processor has nothing to do.
SEC("struct_ops")
void BPF_PROG(on_dispatch, __s32 cpu, struct task_struct *last)
{
	scx_bpf_dsq_move_to_local(QUEUE);
}

SEC("struct_ops")
void BPF_PROG(on_running, struct task_struct *task)
{
	if ((__s64)(now - task->scx.dsq_vtime) < 0)
		now = task->scx.dsq_vtime;
	began[(__u32)scx_bpf_task_cpu(task) % CPUS] = bpf_ktime_get_ns();
}

SEC("struct_ops")
void BPF_PROG(on_stopping, struct task_struct *task, _Bool runnable)
{
	__u64 used = bpf_ktime_get_ns() - began[(__u32)scx_bpf_task_cpu(task) % CPUS];

	task->scx.dsq_vtime += used * NORMAL_WEIGHT / task->scx.weight;
}

SEC("struct_ops")
void BPF_PROG(on_enable, struct task_struct *task)
{
	task->scx.dsq_vtime = now;
}

SEC("struct_ops.s")
__s32 BPF_PROG(on_init)
{
	return scx_bpf_create_dsq(QUEUE, -1);
}

SEC("struct_ops")
void BPF_PROG(on_exit, struct scx_exit_info *info)
{
	bpf_probe_read_kernel_str(exit_reason, sizeof(exit_reason), info->reason);
	exit_kind = info->kind;
}

SEC(".struct_ops.link")
struct sched_ext_ops weighted = {
	.select_cpu = (void *)on_select_cpu,
	.enqueue = (void *)on_enqueue,
	.dispatch = (void *)on_dispatch,
	.running = (void *)on_running,
	.stopping = (void *)on_stopping,
	.enable = (void *)on_enable,
	.init = (void *)on_init,
	.exit = (void *)on_exit,
	.timeout_ms = 5000, // a task that waits longer ends the scheduler
	.name = "weighted",
};

char LICENSE[] SEC("license") = "GPL";
