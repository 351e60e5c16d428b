// A ring buffer record is written behind its end.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("tp/syscalls/sys_enter_getppid")
int report(void *ctx)
{
	__u32 *e = bpf_ringbuf_reserve(&events, 8, 0);

	if (!e)
		return 0;
	e[0] = 1;
	e[2] = 3;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
