// A tail call from a function whose caller has a large stack.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

static __noinline int leave(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &next, 0);
	return 1;
}

SEC("tc")
int start(struct __sk_buff *skb)
{
	char head[300] = {};

	bpf_skb_load_bytes(skb, 0, head, sizeof(head));
	return leave(skb) + head[5];
}

char LICENSE[] SEC("license") = "GPL";
