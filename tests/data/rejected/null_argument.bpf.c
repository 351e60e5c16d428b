// A pointer that may be NULL is given to a helper that does not take NULL.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

SEC("socket")
int copy(struct __sk_buff *skb)
{
	__u32 from = 1, to = 2;
	__u64 *total = bpf_map_lookup_elem(&totals, &from);

	bpf_map_update_elem(&totals, &to, total, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
