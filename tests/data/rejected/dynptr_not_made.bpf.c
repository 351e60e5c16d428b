// A dynptr is read before it is made.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp/syscalls/sys_enter_getppid")
int read(void *ctx)
{
	struct bpf_dynptr ptr = {};
	__u32 value = 0;

	bpf_dynptr_read(&value, sizeof(value), &ptr, 0, 0);
	return value;
}

char LICENSE[] SEC("license") = "GPL";
