// Typed records in a ring buffer whose type only local variables use (DWARF, not BTF).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum kind { KIND_CALL, KIND_RETURN = 2 };

struct event {
	__u32 pid;
	enum kind kind;
	__u64 number;
	char comm[16];
	struct {
		__u16 a;
		__u16 b;
	} pair;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} rb SEC(".maps");

const volatile int only_pid;
__u64 sent;
__u64 lost;

SEC("tp/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	struct event *event;
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (only_pid && pid != only_pid)
		return 0;
	event = bpf_ringbuf_reserve(&rb, sizeof(*event), 0);
	if (!event) {
		lost++;
		return 0;
	}
	event->pid = pid;
	event->kind = KIND_RETURN;
	event->number = sent++;
	event->pair.a = 1;
	event->pair.b = 2;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
