// Addresses of static functions: bpf_for_each_map_elem, bpf_loop, a callback that calls on.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} values SEC(".maps");

struct sums {
	__u64 keys;
	__u64 values;
};

__u64 last_sum;

static __noinline __u64 twice(__u64 a)
{
	return a * 2 + last_sum;
}

static long add_one(void *map, __u32 *key, __u64 *value, struct sums *sums)
{
	sums->keys += *key;
	sums->values += twice(*value);
	return 0;
}

static long step(__u32 index, __u64 *sum)
{
	*sum += twice(index);
	return 0;
}

SEC("socket")
int sum_up(void *ctx)
{
	struct sums sums = {};

	bpf_for_each_map_elem(&values, add_one, &sums, 0);
	last_sum = sums.keys + sums.values;
	return last_sum;
}

SEC("socket")
int loop(void *ctx)
{
	__u64 sum = 0;

	bpf_loop(10, step, &sum, 0);
	return sum;
}

char LICENSE[] SEC("license") = "GPL";
