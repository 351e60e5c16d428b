// Dynamic pointers: into a ring buffer, over a map value, out of a user's ring (Linux 6.1).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct record {
	__u64 a, b;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} orders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} kept SEC(".maps");

long drained;

static long take(struct bpf_dynptr *order, void *context)
{
	struct record *record = bpf_dynptr_data(order, 0, sizeof(*record));

	if (record)
		*(__u64 *)context += record->a;
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int write(void *ctx)
{
	struct record record = { 1, 2 };
	struct bpf_dynptr place;

	if (!bpf_ringbuf_reserve_dynptr(&records, sizeof(record), 0, &place))
		bpf_dynptr_write(&place, 0, &record, sizeof(record), 0);
	bpf_ringbuf_submit_dynptr(&place, 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int copy(void *ctx)
{
	struct bpf_dynptr value;
	struct record *record;
	__u32 zero = 0;
	__u64 word = 0;

	record = bpf_map_lookup_elem(&kept, &zero);
	if (!record || bpf_dynptr_from_mem(record, sizeof(*record), 0, &value))
		return 0;
	bpf_dynptr_read(&word, sizeof(word), &value, 8, 0);
	return word;
}

SEC("tp/syscalls/sys_enter_getpgid")
int drain(void *ctx)
{
	__u64 sum = 0;

	drained = bpf_user_ringbuf_drain(&orders, take, &sum, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
