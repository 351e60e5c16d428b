// A map that a program uses always, and another only where a constant says so.
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

const volatile bool detailed;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} details SEC(".maps");

static __always_inline int add(void)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&details, &zero);

	if (value)
		__sync_fetch_and_add(value, 1);
	return 1;
}

SEC("socket")
int always(void *ctx)
{
	return add();
}

SEC("socket")
int sometimes(void *ctx)
{
	return detailed ? add() : 0;
}

char LICENSE[] SEC("license") = "GPL";
