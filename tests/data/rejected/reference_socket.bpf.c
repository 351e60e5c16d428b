// A socket that was looked up is never released.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int find(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;

	sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	return sk ? 1 : 0;
}

char LICENSE[] SEC("license") = "GPL";
