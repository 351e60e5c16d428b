// A map of maps whose inner map alone names a struct, as its value.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct visit {
	__u64 count;
	char who[8];
};

struct visits {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct visit);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 16);
	__type(key, __u32);
	__array(values, struct visits);
} by_day SEC(".maps");

SEC("socket")
int touch(void *ctx)
{
	__u32 zero = 0;
	void *visits = bpf_map_lookup_elem(&by_day, &zero);
	struct visit *visit;

	if (!visits)
		return 0;
	visit = bpf_map_lookup_elem(visits, &zero);
	if (visit)
		__sync_fetch_and_add(&visit->count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
