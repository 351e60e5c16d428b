// A callback reads behind the end of a map key.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

static long visit(struct bpf_map *map, __u32 *key, __u64 *value, void *ctx)
{
	return key[1];
}

SEC("socket")
int all(struct __sk_buff *skb)
{
	return bpf_for_each_map_elem(&totals, visit, 0, 0);
}

char LICENSE[] SEC("license") = "GPL";
