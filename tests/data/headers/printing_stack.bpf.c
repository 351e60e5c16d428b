// Formats on the stack, for kernels without global data.
// cflags: -DBPF_NO_GLOBAL_DATA
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("kprobe/x")
int old_kernel(struct pt_regs *ctx)
{
	bpf_printk("no values");
	return bpf_printk("%lx %lx %lx", ctx->di, ctx->si, ctx->dx);
}

char _license[] SEC("license") = "GPL";
