// A version section, as kprobe programs needed before Linux 5.0.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int nothing(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
__u32 kernel_version SEC("version") = 0x050a07;
