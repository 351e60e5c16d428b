// An extern in a section that nobody resolves.
// error: extern 'other': in section '.elsewhere'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int other SEC(".elsewhere");

SEC("socket")
int use(void *ctx)
{
	return other;
}

char LICENSE[] SEC("license") = "GPL";
