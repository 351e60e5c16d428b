// One instruction reads through two kinds of pointer.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

SEC("socket")
int either(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 *total = bpf_map_lookup_elem(&totals, &key);
	long word;

	if (!total)
		return 0;
	asm volatile("r1 = %1; if %2 == 5 goto +1; r1 = %3; %0 = *(u32 *)(r1 + 0)"
		     : "=r"(word)
		     : "r"(skb), "r"((long)skb->len), "r"(total)
		     : "r1");
	return word;
}

char LICENSE[] SEC("license") = "GPL";
