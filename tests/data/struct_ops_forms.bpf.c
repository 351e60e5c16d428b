// One TCP congestion control in each section that struct_ops variables have (Linux 6.4).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock;

struct tcp_congestion_ops___forms {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	__u32 flags;
	char name[16];
};

SEC("struct_ops")
__u32 BPF_PROG(forms_ssthresh, struct sock *sk)
{
	return 2;
}

SEC("struct_ops")
void BPF_PROG(forms_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops")
__u32 BPF_PROG(forms_undo_cwnd, struct sock *sk)
{
	return 10;
}

SEC("?struct_ops")
__u32 BPF_PROG(forms_ssthresh_too, struct sock *sk)
{
	return 3;
}

#define OPERATIONS(variable, section, less)                    \
	SEC(section)                                           \
	struct tcp_congestion_ops___forms variable = {         \
		.ssthresh = (void *)less,                      \
		.cong_avoid = (void *)forms_cong_avoid,        \
		.undo_cwnd = (void *)forms_undo_cwnd,          \
		.name = "skelgen_" #variable,                  \
	}

OPERATIONS(plain, ".struct_ops", forms_ssthresh);
OPERATIONS(linked, ".struct_ops.link", forms_ssthresh);
OPERATIONS(maybe, "?.struct_ops", forms_ssthresh_too);
OPERATIONS(maylink, "?.struct_ops.link", forms_ssthresh_too);

char LICENSE[] SEC("license") = "GPL";
