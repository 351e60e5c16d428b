// A pointer that may be NULL is moved before the test.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[8]);
} numbers SEC(".maps");

SEC("socket")
int third(void *ctx)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&numbers, &zero);

	asm volatile("%0 += 16" : "+r"(value));
	if (!value)
		return 0;
	return *value;
}

char LICENSE[] SEC("license") = "GPL";
