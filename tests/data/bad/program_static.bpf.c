// A program that is static.
// error: program 'lost': static functions are supported in .text only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
__attribute__((used)) static int lost(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
