// A helper is given a map of the wrong type.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} events SEC(".maps");

SEC("tp/syscalls/sys_enter_getppid")
int report(void *ctx)
{
	__u64 now = bpf_ktime_get_ns();

	return bpf_ringbuf_output(&events, &now, sizeof(now), 0);
}

char LICENSE[] SEC("license") = "GPL";
