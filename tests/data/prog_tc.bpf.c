// Traffic control: classifier and action.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 bytes;

SEC("tc")
int count(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&bytes, skb->len);
	return -1; /* TC_ACT_UNSPEC */
}

SEC("classifier")
int classify(struct __sk_buff *skb)
{
	return 0;
}

SEC("action")
int act(struct __sk_buff *skb)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
