// A size that may be negative.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/sched_switch")
int copy(__u64 *ctx)
{
	char bytes[16];
	long size = ctx[0];

	asm volatile("" : "+r"(size));
	if (size > 16)
		return 0;
	return bpf_probe_read_kernel(bytes, size, (void *)ctx[1]);
}

char LICENSE[] SEC("license") = "GPL";
