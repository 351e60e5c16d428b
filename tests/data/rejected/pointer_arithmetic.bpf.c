// Arithmetic on a pointer that stays no pointer.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} single SEC(".maps");

SEC("socket")
int align(void *ctx)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&single, &zero);

	if (!value)
		return 0;
	asm volatile("%0 &= -64" : "+r"(value));
	return *value;
}

char LICENSE[] SEC("license") = "GPL";
