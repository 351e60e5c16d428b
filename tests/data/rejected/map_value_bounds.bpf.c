// An access behind the end of a map value.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32[4]);
} limits SEC(".maps");

SEC("socket")
int read_fifth(void *ctx)
{
	__u32 zero = 0;
	__u32 *values = bpf_map_lookup_elem(&limits, &zero);

	if (!values)
		return 0;
	return values[4];
}

char LICENSE[] SEC("license") = "GPL";
