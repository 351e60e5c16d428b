// An LSM program returns what its hook does not know.
// only: 6.12
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("lsm/file_open")
int allow(void *ctx)
{
	return 7;
}

char LICENSE[] SEC("license") = "GPL";
