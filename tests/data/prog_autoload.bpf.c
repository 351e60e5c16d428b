// Programs that load only on demand: SEC("?...").
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int calls;

SEC("socket")
int always(void *ctx)
{
	calls++;
	return 0;
}

SEC("?socket")
int on_demand(void *ctx)
{
	calls += 10;
	return 0;
}

SEC("?tp/no_such_category/no_such_event")
int never(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
