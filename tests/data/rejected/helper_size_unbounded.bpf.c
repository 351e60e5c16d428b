// A helper is told to write as many bytes as the packet says.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int copy(struct __sk_buff *skb)
{
	char head[64] = {};

	bpf_skb_load_bytes(skb, 0, head, skb->len);
	return head[0];
}

char LICENSE[] SEC("license") = "GPL";
