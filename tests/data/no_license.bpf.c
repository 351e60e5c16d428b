// A program without a licence, which may call no GPL-only helper.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int calls;

SEC("socket")
int count(void *ctx)
{
	calls++;
	return 0;
}
