// A TCP congestion control: struct_ops with functions, a name, flags, and a link.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock;
struct ack_sample;
struct rate_sample;
union tcp_cc_info;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	void (*set_state)(struct sock *sk, __u8 new_state);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
	__u32 flags;
};

__u64 calls;

SEC("struct_ops/ssthresh")
__u32 BPF_PROG(skelgen_ssthresh, struct sock *sk)
{
	calls++;
	return 2;
}

SEC("struct_ops/cong_avoid")
void BPF_PROG(skelgen_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops/undo_cwnd")
__u32 BPF_PROG(skelgen_undo_cwnd, struct sock *sk)
{
	return 10;
}

SEC(".struct_ops")
struct tcp_congestion_ops skelgen_cc = {
	.ssthresh = (void *)skelgen_ssthresh,
	.cong_avoid = (void *)skelgen_cong_avoid,
	.undo_cwnd = (void *)skelgen_undo_cwnd,
	.name = "bpf_skelgen",
};

char LICENSE[] SEC("license") = "GPL";
