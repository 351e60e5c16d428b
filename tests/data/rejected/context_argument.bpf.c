// A raw tracepoint reads an argument that its tracepoint does not have.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp_btf/sched_process_exit")
int gone(__u64 *ctx)
{
	return ctx[7] != 0;
}

char LICENSE[] SEC("license") = "GPL";
