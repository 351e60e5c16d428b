// A timer helper is given an address where the map value has no timer.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct element {
	__u64 count;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

SEC("tc")
int start(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct element *element = bpf_map_lookup_elem(&elements, &zero);

	if (element)
		bpf_timer_init((struct bpf_timer *)&element->count, &elements, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
