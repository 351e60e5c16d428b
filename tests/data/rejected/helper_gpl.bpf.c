// A helper for GPL programs alone, in a program with another licence.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp/syscalls/sys_enter_getppid")
int peek(void *ctx)
{
	long value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), ctx);
	return value != 0;
}

char LICENSE[] SEC("license") = "Proprietary";
