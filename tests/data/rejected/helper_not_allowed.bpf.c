// A helper that programs of this type may not call.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int send_elsewhere(struct __sk_buff *skb)
{
	return bpf_clone_redirect(skb, 1, 0);
}

char LICENSE[] SEC("license") = "GPL";
