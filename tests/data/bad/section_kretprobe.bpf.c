// A kretprobe with an offset.
// error: a return probe takes no offset
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("kretprobe/do_unlinkat+8")
int probe(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
