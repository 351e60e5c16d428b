// A TCP congestion control: Reno with a limit to the window, and counters.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

// What is used of the kernel's types; the loader finds the offsets.
struct sock {
} __attribute__((preserve_access_index));

struct tcp_sock {
	__u32 snd_cwnd;
} __attribute__((preserve_access_index));

struct tcp_congestion_ops {
	void (*init)(struct sock *sk);
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	__u32 flags;
	char name[16];
};

extern __u32 tcp_reno_ssthresh(struct sock *sk) __ksym;
extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;
extern __u32 tcp_reno_undo_cwnd(struct sock *sk) __ksym;

// Segments in flight at most.
const volatile __u32 limit = 20;

__u64 connections;
__u64 acknowledged; // segments
__u32 largest_window; // segments

SEC("struct_ops")
void BPF_PROG(on_init, struct sock *sk)
{
	__atomic_fetch_add(&connections, 1, __ATOMIC_RELAXED);
}

SEC("struct_ops")
__u32 BPF_PROG(on_ssthresh, struct sock *sk)
{
	return tcp_reno_ssthresh(sk);
}

SEC("struct_ops")
__u32 BPF_PROG(on_undo_cwnd, struct sock *sk)
{
	return tcp_reno_undo_cwnd(sk);
}

// Every acknowledgement comes here; the kernel lets the program set the window.
static __always_inline void grow(struct sock *sk, __u32 ack, __u32 acked, __u32 most)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	__u32 window;

	tcp_reno_cong_avoid(sk, ack, acked);
	window = tcp->snd_cwnd;
	if (window > most) {
		window = most;
		tcp->snd_cwnd = window;
	}
	if (window > largest_window)
		largest_window = window;
	__atomic_fetch_add(&acknowledged, acked, __ATOMIC_RELAXED);
}

SEC("struct_ops")
void BPF_PROG(grow_to_limit, struct sock *sk, __u32 ack, __u32 acked)
{
	grow(sk, ack, acked, limit);
}

// What main.py --unlimited puts in its place.
SEC("?struct_ops")
void BPF_PROG(grow_freely, struct sock *sk, __u32 ack, __u32 acked)
{
	grow(sk, ack, acked, ~0U);
}

SEC(".struct_ops")
struct tcp_congestion_ops limited = {
	.init = (void *)on_init,
	.ssthresh = (void *)on_ssthresh,
	.cong_avoid = (void *)grow_to_limit,
	.undo_cwnd = (void *)on_undo_cwnd,
	.name = "bpf_limited",
};

char LICENSE[] SEC("license") = "GPL";
