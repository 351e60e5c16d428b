// A hash of maps with slots filled from C, its inner maps of the same definition by name.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct counters {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u64);
	__type(value, __u32);
} red SEC(".maps"), green SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct counters);
} by_colour SEC(".maps") = {
	.values = { [1] = &red, [2] = &green },
};

/* the same map in two slots of another */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct counters);
} twice SEC(".maps") = {
	.values = { [0] = &green, [2] = &green },
};

int found;

SEC("socket")
int count(void *ctx)
{
	__u32 colour = 2, *value;
	__u64 key = 5;
	void *inner = bpf_map_lookup_elem(&by_colour, &colour);

	if (!inner)
		return 0;
	value = bpf_map_lookup_elem(inner, &key);
	found = value ? *value : -1;
	return found;
}

char LICENSE[] SEC("license") = "GPL";
