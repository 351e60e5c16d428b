// A format string that is not constant.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char format[] = "%d";
char out[16];

SEC("syscall")
int print(void *ctx)
{
	__u64 number = 1;

	return bpf_snprintf(out, sizeof(out), format, &number, sizeof(number));
}

char LICENSE[] SEC("license") = "GPL";
