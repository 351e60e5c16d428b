// A number is read from an address that it is not aligned to.
// flags: BPF_F_STRICT_ALIGNMENT
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[2]);
} pair SEC(".maps");

SEC("socket")
int between(void *ctx)
{
	__u32 zero = 0;
	char *value = bpf_map_lookup_elem(&pair, &zero);

	if (!value)
		return 0;
	return *(__u64 *)(value + 3);
}

char LICENSE[] SEC("license") = "GPL";
