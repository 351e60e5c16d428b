// struct_ops and its sleepable form, in operations that the kernel has for tests.
#include "sections.h"

struct bpf_dummy_ops_state;

struct bpf_dummy_ops {
	int (*test_1)(struct bpf_dummy_ops_state *state);
};

struct bpf_dummy_ops___sleepable {
	int (*test_sleepable)(struct bpf_dummy_ops_state *state);
};

COUNT("struct_ops/test_1", struct_ops, 0)
COUNT("struct_ops.s/test_sleepable", struct_ops_s, 0)

SEC(".struct_ops")
struct bpf_dummy_ops dummy = {
	.test_1 = (void *)on_struct_ops,
};

SEC(".struct_ops")
struct bpf_dummy_ops___sleepable sleeping = {
	.test_sleepable = (void *)on_struct_ops_s,
};
