// A USDT without a probe name.
// error: usdt/
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("usdt/libc.so.6:libc")
int probe(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
