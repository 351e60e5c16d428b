// The kernel's operations for tests, which run through BPF_PROG_TEST_RUN (Linux 5.16).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct bpf_dummy_ops_state {
	int val;
} __attribute__((preserve_access_index));

struct bpf_dummy_ops {
	int (*test_1)(struct bpf_dummy_ops_state *state);
	int (*test_2)(struct bpf_dummy_ops_state *state, int a1, unsigned short a2, char a3,
		      unsigned long a4);
};

SEC("struct_ops/test_1")
int BPF_PROG(first, struct bpf_dummy_ops_state *state)
{
	int before;

	if (!state)
		return 0xf2f3f4f5;
	before = state->val;
	state->val = 0x5a;
	return before;
}

__u64 arguments[4];

SEC("struct_ops/test_2")
int BPF_PROG(second, struct bpf_dummy_ops_state *state, int a1, unsigned short a2, char a3,
	     unsigned long a4)
{
	arguments[0] = a1;
	arguments[1] = a2;
	arguments[2] = a3;
	arguments[3] = a4;
	return 0;
}

SEC(".struct_ops")
struct bpf_dummy_ops dummy = {
	.test_1 = (void *)first,
	.test_2 = (void *)second,
};

char LICENSE[] SEC("license") = "GPL";
