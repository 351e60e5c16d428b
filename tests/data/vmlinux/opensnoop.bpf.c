// Files that are opened, and where in the mount they are.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

struct event {
	u64 when;
	pid_t pid;
	int flags, fd;
	u64 inode;
	dev_t device;
	umode_t mode;
	char name[64];
};

struct arguments {
	const char *name;
	int flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10240);
	__type(key, u64);
	__type(value, struct arguments);
} opening SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} events SEC(".maps");

SEC("tp/syscalls/sys_enter_openat")
int enter_openat(struct trace_event_raw_sys_enter *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	struct arguments arguments = {
		.name = (const char *)ctx->args[1],
		.flags = (int)ctx->args[2],
	};

	bpf_map_update_elem(&opening, &id, &arguments, BPF_ANY);
	return 0;
}

SEC("tp/syscalls/sys_exit_openat")
int leave_openat(struct trace_event_raw_sys_exit *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	struct task_struct *task = (void *)bpf_get_current_task();
	struct arguments *arguments = bpf_map_lookup_elem(&opening, &id);
	struct file **files, *file = NULL;
	struct event *event;
	struct inode *inode;

	if (!arguments)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		goto done;
	event->when = bpf_ktime_get_ns();
	event->pid = id >> 32;
	event->flags = arguments->flags;
	event->fd = ctx->ret;
	bpf_probe_read_user_str(event->name, sizeof(event->name), arguments->name);
	if (ctx->ret >= 0) {
		files = BPF_CORE_READ(task, files, fdt, fd);
		bpf_core_read(&file, sizeof(file), &files[ctx->ret & 0xff]);
	}
	inode = BPF_CORE_READ(file, f_path.dentry, d_inode);
	event->inode = BPF_CORE_READ(inode, i_ino);
	event->mode = BPF_CORE_READ(inode, i_mode);
	event->device = BPF_CORE_READ(inode, i_sb, s_dev);
	bpf_ringbuf_submit(event, 0);
done:
	bpf_map_delete_elem(&opening, &id);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
