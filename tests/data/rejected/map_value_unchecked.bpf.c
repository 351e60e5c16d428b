// A looked-up map value is used without a test for NULL.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} packets_seen SEC(".maps");

SEC("socket")
int count(struct __sk_buff *skb)
{
	__u32 protocol = skb->protocol;
	__u64 *seen;

	seen = bpf_map_lookup_elem(&packets_seen, &protocol);
	*seen += 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
