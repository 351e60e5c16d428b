// A tracepoint without an event.
// error: tp/sched
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp/sched")
int probe(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
