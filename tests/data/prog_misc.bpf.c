// perf_event and syscall programs.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

struct args {
	__u64 in;
	__u64 out;
};

__u64 samples;

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	__sync_fetch_and_add(&samples, 1);
	return 0;
}

SEC("syscall")
int add(struct args *ctx)
{
	ctx->out = ctx->in + 1;
	return 42;
}

char LICENSE[] SEC("license") = "GPL";
