// A whole life in one object: tracepoints, a ring buffer, globals, struct_ops, cgroup, netns.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct event {
	__u64 number;
	__u32 pid;
	__u32 pad;
};

struct state {
	__u64 calls;
	__s32 values[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct state);
} states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} single SEC(".maps");

const volatile __u32 only_pid;
const volatile __u32 reject; /* the verifier looks at what is behind a constant */
__u64 calls;
__s32 level = 7;
struct state state;
__u32 numbers[8];

SEC("tp/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct event *event;

	if (pid != only_pid)
		return 0;
	__sync_fetch_and_add(&calls, 1);
	event = bpf_ringbuf_reserve(&rb, sizeof(*event), 0);
	if (!event)
		return 0;
	event->number = calls;
	event->pid = pid;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tp/syscalls/sys_exit_getppid")
int on_return(void *ctx)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&single, &key);

	if (!value || bpf_get_current_pid_tgid() >> 32 != only_pid)
		return 0;
	state.calls++;
	return value[reject];
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	return 1;
}

SEC("sk_lookup")
int on_lookup(struct bpf_sk_lookup *ctx)
{
	return SK_PASS;
}

struct sock;

struct tcp_congestion_ops___life {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/ssthresh")
__u32 BPF_PROG(life_ssthresh, struct sock *sk)
{
	return 2;
}

SEC("struct_ops/cong_avoid")
void BPF_PROG(life_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops/undo_cwnd")
__u32 BPF_PROG(life_undo_cwnd, struct sock *sk)
{
	return 10;
}

SEC(".struct_ops.link")
struct tcp_congestion_ops___life life = {
	.ssthresh = (void *)life_ssthresh,
	.cong_avoid = (void *)life_cong_avoid,
	.undo_cwnd = (void *)life_undo_cwnd,
	.name = "bpf_skelgen_lif",
};

char LICENSE[] SEC("license") = "GPL";
