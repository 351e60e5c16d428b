// The fault is in a function of another file that was inlined.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "lookup.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

SEC("socket")
int look(struct __sk_buff *skb)
{
	return flow_bytes(&flows, skb->mark) > 100;
}

char LICENSE[] SEC("license") = "GPL";
