// A function whose return value may not be changed.
// only: 6.1 6.12
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("fmod_ret/vfs_open")
int opened(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
