// 32-bit arithmetic on a pointer.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

SEC("socket")
int move(void *ctx)
{
	__u32 key = 0;
	__u64 *total = bpf_map_lookup_elem(&totals, &key);

	if (!total)
		return 0;
	asm volatile("r1 = %0\n"
		     "w1 += 4\n"
		     "%0 = r1"
		     : "+r"(total)
		     :
		     : "r1");
	return *total;
}

char LICENSE[] SEC("license") = "GPL";
