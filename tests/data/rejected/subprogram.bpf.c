// The fault is in a function that the program calls.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

static __noinline long size_of(__u32 key)
{
	__u64 *size = bpf_map_lookup_elem(&sizes, &key);

	return *size + 1;
}

SEC("socket")
int look(struct __sk_buff *skb)
{
	return size_of(skb->mark) > 100;
}

char LICENSE[] SEC("license") = "GPL";
