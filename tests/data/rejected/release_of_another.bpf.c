// What is submitted to a ring buffer was not reserved from it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} scratch SEC(".maps");

SEC("tp/syscalls/sys_enter_getppid")
int report(void *ctx)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&scratch, &zero);

	if (value)
		bpf_ringbuf_submit(value, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
