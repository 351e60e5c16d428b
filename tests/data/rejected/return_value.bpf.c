// A program returns what its type does not allow.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/sock_create")
int check(struct bpf_sock *sk)
{
	return sk->family;
}

char LICENSE[] SEC("license") = "GPL";
