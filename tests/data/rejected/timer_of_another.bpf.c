// A timer of one map is made with another map.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct value {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct value);
} first SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct value);
} second SEC(".maps");

SEC("tc")
int start(void *ctx)
{
	__u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&first, &key);

	return value ? bpf_timer_init(&value->timer, &second, 0) : 0;
}

char LICENSE[] SEC("license") = "GPL";
