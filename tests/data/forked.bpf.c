// What a process shares with a forked child: a ring buffer, a hash and globals, filled by test runs.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} rb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

__u64 sent;
__u64 lost;

SEC("socket")
int send_number(void *ctx)
{
	__u64 number = sent;
	__u32 key = number % 64;

	bpf_map_update_elem(&seen, &key, &number, BPF_ANY);
	if (bpf_ringbuf_output(&rb, &number, sizeof(number), 0)) {
		lost++;
		return 0;
	}
	sent++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
