// A number is given to a helper that wants a pointer.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

SEC("socket")
int look(struct __sk_buff *skb)
{
	return bpf_map_lookup_elem(&sizes, (void *)(long)skb->len) != 0;
}

char LICENSE[] SEC("license") = "GPL";
