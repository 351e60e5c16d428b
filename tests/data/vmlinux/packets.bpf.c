// Programs that see packets: XDP, tc, cgroup, socket operations; a kfunc from the header.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define ETH_P_IP 0x0800
#define TC_ACT_OK 0

struct flow {
	__be32 from, to;
	__be16 from_port, to_port;
	u8 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, u64);
} flows SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct flow flow = {};
	u64 one = 1, *found;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	flow.from = ip->saddr;
	flow.to = ip->daddr;
	flow.protocol = ip->protocol;
	if (ip->ihl == 5 && ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)(ip + 1);

		if ((void *)(tcp + 1) > end)
			return XDP_DROP;
		flow.from_port = tcp->source;
		flow.to_port = tcp->dest;
	}
	found = bpf_map_lookup_elem(&flows, &flow);
	if (found)
		__sync_fetch_and_add(found, 1);
	else
		bpf_map_update_elem(&flows, &flow, &one, BPF_ANY);
	return XDP_PASS;
}

SEC("tc")
int look(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	struct ethhdr buffer, *eth;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return TC_ACT_OK;
	eth = bpf_dynptr_slice(&packet, 0, &buffer, sizeof(buffer));
	return eth && eth->h_proto == 0 ? TC_ACT_OK : TC_ACT_OK;
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	return !sk || sk->protocol != IPPROTO_UDP || skb->len < 9000;
}

SEC("sockops")
int operations(struct bpf_sock_ops *ops)
{
	if (ops->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
