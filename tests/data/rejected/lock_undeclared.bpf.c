// A lock is taken in a map value that has none.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

SEC("tc")
int count(void *ctx)
{
	__u32 key = 0;
	void *total = bpf_map_lookup_elem(&totals, &key);

	if (!total)
		return 0;
	bpf_spin_lock(total);
	bpf_spin_unlock(total);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
