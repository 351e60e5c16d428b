// A variable in no section (-fcommon).
// error: variable
// cflags: -fcommon
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int common;

SEC("socket")
int use(void *ctx)
{
	return common;
}

char LICENSE[] SEC("license") = "GPL";
