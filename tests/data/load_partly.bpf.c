// Programs and maps of which most cannot be loaded, each for a reason of its own.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

extern int skelgen_no_such_kfunc(int a) __ksym;

struct task_struct {
	int skelgen_no_such_field;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
} unsized SEC(".maps");

SEC("socket")
int good(void *ctx)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&counts, &zero);

	if (value)
		__sync_fetch_and_add(value, 1);
	return 7;
}

SEC("socket")
int outside(void *ctx)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&counts, &zero);

	return value ? value[1] : 0;
}

SEC("socket")
int needs_map(void *ctx)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&unsized, &zero) != 0;
}

SEC("socket")
int needs_field(void *ctx)
{
	struct task_struct *task = ctx;

	return bpf_core_field_offset(task->skelgen_no_such_field);
}

SEC("syscall")
int needs_kfunc(void *ctx)
{
	return skelgen_no_such_kfunc(1);
}

SEC("tp_btf/skelgen_no_such_tracepoint")
int needs_target(void *ctx)
{
	return 0;
}

SEC("skelgen_no_such_type")
int needs_type(void *ctx)
{
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} calls SEC(".maps") = {
	.values = { (void *)good, (void *)outside },
};

SEC("socket")
int entry(void *ctx)
{
	bpf_tail_call(ctx, &calls, 1); /* an empty slot, when outside is not there */
	bpf_tail_call(ctx, &calls, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
