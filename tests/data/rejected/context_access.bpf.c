// A member of the context that programs of this type may not read.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int classify(struct __sk_buff *skb)
{
	return skb->tc_classid;
}

char LICENSE[] SEC("license") = "GPL";
