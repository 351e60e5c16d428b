// TCP connections: by kprobe as they are made, by tracepoint as their state changes.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

#define AF_INET 2
#define AF_INET6 10

struct event {
	union {
		__be32 v4;
		struct in6_addr v6;
	} from, to;
	u16 family, port;
	u32 netns, state;
	u64 srtt_us, mark;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct sock *);
} connecting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} events SEC(".maps");

static void report(struct sock *sk, u32 state)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return;
	event->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	event->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	event->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	event->mark = BPF_CORE_READ(sk, sk_mark);
	event->srtt_us = BPF_CORE_READ(tcp, srtt_us) >> 3;
	event->state = state;
	if (event->family == AF_INET) {
		event->from.v4 = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		event->to.v4 = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&event->from.v6, sk,
				   __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32);
		BPF_CORE_READ_INTO(&event->to.v6, sk,
				   __sk_common.skc_v6_daddr.in6_u.u6_addr32);
	}
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, 0);
}

SEC("kprobe/tcp_v4_connect")
int BPF_KPROBE(enter_connect, struct sock *sk)
{
	u32 thread = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&connecting, &thread, &sk, BPF_ANY);
	return 0;
}

SEC("kretprobe/tcp_v4_connect")
int BPF_KRETPROBE(leave_connect, int result)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct sock **sk = bpf_map_lookup_elem(&connecting, &thread);

	if (!sk)
		return 0;
	if (!result)
		report(*sk, TCP_SYN_SENT);
	bpf_map_delete_elem(&connecting, &thread);
	return 0;
}

SEC("tp/sock/inet_sock_set_state")
int set_state(struct trace_event_raw_inet_sock_set_state *ctx)
{
	if (ctx->protocol != IPPROTO_TCP || ctx->family == AF_INET6)
		return 0;
	if (ctx->newstate == TCP_ESTABLISHED || ctx->newstate == TCP_CLOSE)
		report((struct sock *)ctx->skaddr, ctx->newstate);
	return 0;
}

SEC("raw_tp/tcp_retransmit_skb")
int BPF_PROG(retransmit, struct sock *sk, struct sk_buff *skb)
{
	if (BPF_CORE_READ(skb, len) && BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol))
		report(sk, BPF_CORE_READ(sk, __sk_common.skc_state));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
