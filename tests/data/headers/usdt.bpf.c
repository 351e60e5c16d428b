// USDT probes with none to twelve arguments.
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/usdt.bpf.h>

volatile long out;

SEC("usdt")
int BPF_USDT(usdt0)
{
	return bpf_usdt_arg_cnt(ctx);
}

SEC("usdt/./urandom_read:urand:read_with_sema")
int BPF_USDT(usdt3, int a, const char *b, long c)
{
	out = (long)b;
	return a + c;
}

SEC("usdt")
int BPF_USDT(usdt12, int a, int b, int c, int d, int e, int f, int g, int h, int i, int j,
	     int k, int l)
{
	return a + b + c + d + e + f + g + h + i + j + k + l + bpf_usdt_cookie(ctx);
}

SEC("usdt")
int by_hand(struct pt_regs *ctx)
{
	long value;
	int err = bpf_usdt_arg(ctx, 2, &value);

	return err ? err : value;
}

char _license[] SEC("license") = "GPL";
