// An atomic operation on the context.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("socket")
int add(struct __sk_buff *skb)
{
	asm volatile("r1 = 1; lock *(u64 *)(%0 + 0) += r1" :: "r"(skb) : "r1");
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
