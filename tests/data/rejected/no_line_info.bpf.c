// Compiled without debug information: no line of C to show.
// cflags: -g0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int classify(struct __sk_buff *skb)
{
	return skb->tc_classid;
}

char LICENSE[] SEC("license") = "GPL";
