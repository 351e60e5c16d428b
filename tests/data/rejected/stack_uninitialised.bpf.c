// A helper reads bytes of the stack that nothing was written to (before Linux 6.3).
// only: 6.1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct key {
	__u8 kind;
	__u32 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct key);
	__type(value, __u64);
} known SEC(".maps");

SEC("socket")
int look(struct __sk_buff *skb)
{
	struct key key;

	key.kind = 1;
	key.number = skb->len;
	return bpf_map_lookup_elem(&known, &key) != 0;
}

char LICENSE[] SEC("license") = "GPL";
