// Every cgroup hook that Linux 6.1 has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 packets;

#define HOOK(section, name, context)   \
	SEC(section)                   \
	int name(struct context *ctx)  \
	{                              \
		return 1;              \
	}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&packets, 1);
	return 1;
}

HOOK("cgroup_skb/egress", egress, __sk_buff)
HOOK("cgroup/skb", skb, __sk_buff)
HOOK("cgroup/sock_create", sock_create, bpf_sock)
HOOK("cgroup/sock_release", sock_release, bpf_sock)
HOOK("cgroup/sock", sock, bpf_sock)
HOOK("cgroup/post_bind4", post_bind4, bpf_sock)
HOOK("cgroup/post_bind6", post_bind6, bpf_sock)
HOOK("cgroup/bind4", bind4, bpf_sock_addr)
HOOK("cgroup/bind6", bind6, bpf_sock_addr)
HOOK("cgroup/connect4", connect4, bpf_sock_addr)
HOOK("cgroup/connect6", connect6, bpf_sock_addr)
HOOK("cgroup/sendmsg4", sendmsg4, bpf_sock_addr)
HOOK("cgroup/sendmsg6", sendmsg6, bpf_sock_addr)
HOOK("cgroup/recvmsg4", recvmsg4, bpf_sock_addr)
HOOK("cgroup/recvmsg6", recvmsg6, bpf_sock_addr)
HOOK("cgroup/getpeername4", getpeername4, bpf_sock_addr)
HOOK("cgroup/getpeername6", getpeername6, bpf_sock_addr)
HOOK("cgroup/getsockname4", getsockname4, bpf_sock_addr)
HOOK("cgroup/getsockname6", getsockname6, bpf_sock_addr)
HOOK("cgroup/sysctl", sysctl, bpf_sysctl)
HOOK("cgroup/getsockopt", getsockopt, bpf_sockopt)
HOOK("cgroup/setsockopt", setsockopt, bpf_sockopt)
HOOK("cgroup/dev", dev, bpf_cgroup_dev_ctx)
HOOK("sockops", sock_ops, bpf_sock_ops)

char LICENSE[] SEC("license") = "GPL";
