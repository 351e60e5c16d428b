// Two programs that use the same maps: one of them may get them for itself (Linux 6.18).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

__u64 step = 5;

static __noinline __u64 add(__u64 more)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	if (!count)
		return 0;
	*count += more;
	return *count;
}

SEC("syscall")
int owner(void *ctx)
{
	return add(step);
}

SEC("?syscall")
int stranger(void *ctx)
{
	return add(step * 2);
}

char LICENSE[] SEC("license") = "GPL";
