// A section name that says nothing: the user has to give the type before loading.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("my_own_section")
int mystery(void *ctx)
{
	return 0;
}

SEC("xdp_but_not_quite")
int near_miss(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
