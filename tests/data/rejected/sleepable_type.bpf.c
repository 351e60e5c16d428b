// A program of a type that cannot be sleepable.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp.s/sched/sched_switch")
int asleep(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
