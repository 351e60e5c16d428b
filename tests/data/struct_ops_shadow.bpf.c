// struct_ops variables of our own making: every kind of member that a shadow can have.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

enum mode {
	MODE_OFF = 0,
	MODE_FAST = 3,
};

struct limits {
	__u16 low;
	__u16 high;
	__u8 steps[4];
};

// Its kernel half is made by the tests: no kernel has operations of this name.
struct skelgen_ops {
	int (*start)(__u64 *ctx);
	int (*yield)(__u64 *ctx);
	void *private;
	const char *label;
	char name[16];
	__u32 flags;
	__s8 bias;
	_Bool enabled;
	enum mode mode;
	struct limits limits;
	union {
		__u32 word;
		__u8 octets[4];
	};
	__u64 table[2];
	int (*attach)(__u64 *ctx);
	__u32 from_buffer;
};

SEC("struct_ops/start")
int BPF_PROG(on_start)
{
	return 1;
}

SEC("struct_ops/start")
int BPF_PROG(on_start_too)
{
	return 2;
}

SEC("?struct_ops.s/yield")
int BPF_PROG(on_yield)
{
	return 3;
}

SEC("xdp")
int other(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC(".struct_ops")
struct skelgen_ops plain = {
	.start = (void *)on_start,
	.name = "plain",
	.flags = 5,
	.bias = -3,
	.mode = MODE_FAST,
	.limits = { .low = 1, .high = 2, .steps = { 3, 4, 5, 6 } },
	.word = 7,
	.table = { 8, 9 },
};

SEC(".struct_ops.link")
struct skelgen_ops linked = {
	.start = (void *)on_start,
	.yield = (void *)on_yield,
};

SEC("?.struct_ops")
struct skelgen_ops optional;

SEC("?.struct_ops.link")
struct skelgen_ops optional_linked = {
	.start = (void *)on_start_too,
};

char LICENSE[] SEC("license") = "GPL";
