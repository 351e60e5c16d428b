// A sleepable program at a function that none may attach to.
// only: 6.1 6.12
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("fentry.s/vfs_open")
int opened(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
