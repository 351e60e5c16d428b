// TCP congestion controls that count: two with links, for one to replace the other.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock {
} __attribute__((preserve_access_index));

struct tcp_congestion_ops {
	char name[16];
	__u32 flags;
	void (*init)(struct sock *sk);
	void (*release)(struct sock *sk);
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
};

extern __u32 tcp_reno_ssthresh(struct sock *sk) __ksym;
extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;
extern __u32 tcp_reno_undo_cwnd(struct sock *sk) __ksym;

__u64 opened, closed, first, second;

SEC("struct_ops")
void BPF_PROG(on_init, struct sock *sk)
{
	__sync_fetch_and_add(&opened, 1);
}

SEC("struct_ops")
void BPF_PROG(on_release, struct sock *sk)
{
	__sync_fetch_and_add(&closed, 1);
}

SEC("struct_ops")
__u32 BPF_PROG(on_ssthresh, struct sock *sk)
{
	return tcp_reno_ssthresh(sk);
}

SEC("struct_ops")
void BPF_PROG(count_first, struct sock *sk, __u32 ack, __u32 acked)
{
	__sync_fetch_and_add(&first, 1);
	tcp_reno_cong_avoid(sk, ack, acked);
}

SEC("struct_ops")
void BPF_PROG(count_second, struct sock *sk, __u32 ack, __u32 acked)
{
	__sync_fetch_and_add(&second, 1);
	tcp_reno_cong_avoid(sk, ack, acked);
}

SEC("struct_ops")
__u32 BPF_PROG(on_undo_cwnd, struct sock *sk)
{
	return tcp_reno_undo_cwnd(sk);
}

SEC(".struct_ops.link")
struct tcp_congestion_ops one = {
	.init = (void *)on_init,
	.release = (void *)on_release,
	.ssthresh = (void *)on_ssthresh,
	.cong_avoid = (void *)count_first,
	.undo_cwnd = (void *)on_undo_cwnd,
	.name = "skelgen_one",
};

SEC("?.struct_ops.link")
struct tcp_congestion_ops two = {
	.ssthresh = (void *)on_ssthresh,
	.cong_avoid = (void *)count_second,
	.undo_cwnd = (void *)on_undo_cwnd,
	.name = "skelgen_two",
};

char LICENSE[] SEC("license") = "GPL";
