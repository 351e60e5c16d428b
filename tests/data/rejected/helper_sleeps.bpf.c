// A helper that may sleep, in a program that may not.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp/syscalls/sys_enter_getppid")
int read_user(void *ctx)
{
	long value = 0;

	bpf_copy_from_user(&value, sizeof(value), (void *)0x1000);
	return value != 0;
}

char LICENSE[] SEC("license") = "GPL";
