// A map value is indexed with a number that may be anything.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[256]);
} table SEC(".maps");

SEC("socket")
int translate(struct __sk_buff *skb)
{
	__u32 zero = 0;
	__u8 *bytes = bpf_map_lookup_elem(&table, &zero);

	if (!bytes)
		return 0;
	return bytes[skb->len];
}

char LICENSE[] SEC("license") = "GPL";
