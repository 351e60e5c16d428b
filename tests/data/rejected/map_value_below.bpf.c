// An offset into a map value that may be negative, for a helper.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[64]);
} bytes SEC(".maps");

SEC("tc")
int load(struct __sk_buff *skb)
{
	__u32 key = 0;
	char *value = bpf_map_lookup_elem(&bytes, &key);
	long offset = skb->mark;

	if (!value)
		return 0;
	offset = (offset & 31) - 16;
	asm volatile("" : "+r"(offset));
	return bpf_skb_load_bytes(skb, 0, value + offset, 4);
}

char LICENSE[] SEC("license") = "GPL";
