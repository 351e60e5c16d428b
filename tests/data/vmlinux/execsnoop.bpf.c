// Programs that start, with parent and arguments, as tools of BCC's kind report them.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define MAX_ARGS 20

struct event {
	pid_t pid, ppid;
	uid_t uid;
	int retval, args_count;
	u64 cgroup, mnt_ns;
	char comm[16];
	char args[MAX_ARGS][32];
};

const volatile uid_t only_uid = -1;
const volatile bool ignore_failed = true;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, pid_t);
	__type(value, struct event);
} starting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
} events SEC(".maps");

static const struct event nothing;

SEC("tracepoint/syscalls/sys_enter_execve")
int enter(struct trace_event_raw_sys_enter *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	const char **args = (const char **)ctx->args[1];
	pid_t pid = (pid_t)bpf_get_current_pid_tgid();
	uid_t uid = (uid_t)bpf_get_current_uid_gid();
	const char *argument;
	struct event *event;

	if (only_uid != (uid_t)-1 && only_uid != uid)
		return 0;
	if (bpf_map_update_elem(&starting, &pid, &nothing, BPF_NOEXIST))
		return 0;
	event = bpf_map_lookup_elem(&starting, &pid);
	if (!event)
		return 0;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = uid;
	event->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	event->mnt_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	for (int i = 0; i < MAX_ARGS; i++) {
		if (bpf_probe_read_user(&argument, sizeof(argument), &args[i]) || !argument)
			break;
		bpf_probe_read_user_str(event->args[i], sizeof(event->args[i]), argument);
		event->args_count++;
	}
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int leave(struct trace_event_raw_sys_exit *ctx)
{
	pid_t pid = (pid_t)bpf_get_current_pid_tgid();
	struct event *event = bpf_map_lookup_elem(&starting, &pid);

	if (!event)
		return 0;
	event->retval = ctx->ret;
	if (!ignore_failed || event->retval >= 0) {
		bpf_get_current_comm(&event->comm, sizeof(event->comm));
		bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, event, sizeof(*event));
	}
	bpf_map_delete_elem(&starting, &pid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
