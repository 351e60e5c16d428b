// tcx and netkit links, both directions (Linux 6.6 and 6.7).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 in_bytes;
__u64 out_bytes;

SEC("tcx/ingress")
int ingress(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&in_bytes, skb->len);
	return -1; /* TCX_NEXT */
}

SEC("tcx/egress")
int egress(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&out_bytes, skb->len);
	return -1;
}

SEC("tc/ingress")
int tc_ingress(struct __sk_buff *skb)
{
	return -1;
}

SEC("netkit/primary")
int primary(struct __sk_buff *skb)
{
	return -1;
}

SEC("netkit/peer")
int peer(struct __sk_buff *skb)
{
	return -1;
}

char LICENSE[] SEC("license") = "GPL";
