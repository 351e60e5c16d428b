// A socket that was looked up is used without a test for NULL.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int find(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	int family;

	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	family = sk->family;
	bpf_sk_release(sk);
	return family;
}

char LICENSE[] SEC("license") = "GPL";
