// The verifier rejects this: an access behind the end of a map value.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} single SEC(".maps");

SEC("socket")
int outside(void *ctx)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&single, &zero);

	if (!value)
		return 0;
	return value[1];
}

char LICENSE[] SEC("license") = "GPL";
