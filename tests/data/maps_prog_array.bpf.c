// Tail calls through program arrays, one with its slots filled from C.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int tail_one(void *ctx);
int tail_two(void *ctx);

int hits;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = { [1] = (void *)&tail_one, [2] = (void *)&tail_two },
};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} by_hand SEC(".maps");

SEC("socket")
int tail_one(void *ctx)
{
	hits += 1;
	return 1;
}

SEC("socket")
int tail_two(void *ctx)
{
	hits += 10;
	bpf_tail_call(ctx, &jumps, 1);
	return 2;
}

SEC("socket")
int entry(void *ctx)
{
	bpf_tail_call(ctx, &jumps, 2);
	bpf_tail_call(ctx, &by_hand, 0);
	return 3;
}

char LICENSE[] SEC("license") = "GPL";
