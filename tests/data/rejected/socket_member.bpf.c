// A member of a socket is read that this kind of pointer does not have.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int mark(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? sk->priority : 0;
}

char LICENSE[] SEC("license") = "GPL";
