// Loading in two steps: a map that the verifier reads, an array of programs, programs to be cloned.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

int tail(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int (struct __sk_buff *));
} steps SEC(".maps") = {
	.values = { [1] = (void *)tail },
};

const volatile __u64 step = 1;
__u64 calls;
__u64 prepare = 3; /* what the skeleton and its programs have calls of */

/* Without the constant 42 in a frozen map it reads beyond the value. */
SEC("?tc")
int by_settings(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&settings, &key);

	if (!value)
		return 0;
	if (*value != 42)
		return value[7];
	return 6;
}

SEC("tc")
int tail(struct __sk_buff *skb)
{
	return 4;
}

SEC("tc")
int call_tail(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &steps, 1);
	return 5;
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 key = 1;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);

	calls += step;
	if (value)
		*value += 1;
	return XDP_PASS;
}

SEC("raw_tp/sys_enter")
int on_enter(__u64 *ctx)
{
	calls += ctx[0];
	return 0;
}

SEC("?raw_tp/sys_exit")
int clone(__u64 *ctx)
{
	prepare++;
	return 0;
}

SEC("cgroup/connect4")
int on_address(struct bpf_sock_addr *ctx)
{
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
