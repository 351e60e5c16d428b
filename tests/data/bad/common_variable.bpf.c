// A variable in no section (-fcommon).
// error: refers to 'common' in common storage
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
