// A kprobe at a function name that no function has.
// error: kprobe/not a name
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("kprobe/not a name")
int probe(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
