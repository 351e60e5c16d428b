// A program ends with preemption off (Linux 6.10).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_preempt_disable(void) __ksym;

SEC("tc")
int count(void *ctx)
{
	bpf_preempt_disable();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
