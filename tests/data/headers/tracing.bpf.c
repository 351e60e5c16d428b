// Programs with arguments, on x86.
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

volatile long out;

SEC("fentry/f0")
int BPF_PROG(prog0)
{
	return ctx[0];
}

SEC("fexit/f5")
int BPF_PROG(prog5, char a, struct node *n, bool b, unsigned long long d, short ret)
{
	out = a + b + d + ret;
	return BPF_CORE_READ(n, plain);
}

SEC("tp_btf/f12")
int BPF_PROG(prog12, int a, int b, int c, int d, int e, int f, long g, long h, short i,
	     unsigned char j, const char *k, enum color l)
{
	return a + b + c + d + e + f + g + h + i + j + *k + l;
}

SEC("lsm/file_open")
void BPF_PROG(no_result, struct node *n, int (*callback)(int, int), int ret)
{
	out = n->color + (long)callback + ret;
}

struct one {
	char c;
};
struct two {
	short s;
};
struct four {
	int n;
};
struct eight {
	long n;
};
struct sixteen {
	long n;
	int m;
};

SEC("fentry/s")
int BPF_PROG2(structs, struct sixteen, a, int, b, struct one, c, struct two, d, struct four,
	      e, struct sixteen, f, struct eight, g, struct node *, n)
{
	return a.n + a.m + b + c.c + d.s + e.n + f.m + f.n + g.n + n->plain;
}

SEC("fentry/s0")
int BPF_PROG2(no_structs)
{
	return ctx[0];
}

SEC("fexit/s12")
int BPF_PROG2(many, int, a, long, b, char, c, short, d, bool, e, unsigned, f, int, g, int, h,
	      int, i, int, j, struct sixteen, k, int, l)
{
	return a + b + c + d + e + f + g + h + i + j + k.n + k.m + l;
}

SEC("kprobe/f0")
int BPF_KPROBE(kprobe0)
{
	return PT_REGS_IP(ctx);
}

SEC("kprobe/f5")
int BPF_KPROBE(kprobe5, int a, struct node *n, bool b, char c, unsigned long d)
{
	out = a + b + c + d;
	return BPF_CORE_READ(n, next, plain);
}

SEC("kretprobe/f")
int BPF_KRETPROBE(kret0)
{
	long ip;

	BPF_KRETPROBE_READ_RET_IP(ip, ctx);
	return ip;
}

SEC("kretprobe/g")
int BPF_KRETPROBE(kret1, int ret)
{
	long ip;

	BPF_KPROBE_READ_RET_IP(ip, ctx);
	return ret + ip;
}

SEC("ksyscall/a")
int BPF_KSYSCALL(sys0)
{
	return 0;
}

SEC("ksyscall/b")
int BPF_KSYSCALL(sys5, int a, const char *s, unsigned c, long d, short e)
{
	out = (long)s;
	return a + c + d + e;
}

SEC("kprobe/c")
int BPF_KPROBE_SYSCALL(sys1, int a)
{
	return a;
}

SEC("kprobe/d")
int by_hand(struct pt_regs *ctx)
{
	struct pt_regs *regs = PT_REGS_SYSCALL_REGS(ctx);

	out = PT_REGS_PARM1(ctx) + PT_REGS_PARM2(ctx) + PT_REGS_PARM3(ctx) +
	      PT_REGS_PARM4(ctx) + PT_REGS_PARM5(ctx);
	out = PT_REGS_RET(ctx) + PT_REGS_FP(ctx) + PT_REGS_RC(ctx) + PT_REGS_SP(ctx);
	out = PT_REGS_PARM1_CORE(regs) + PT_REGS_PARM2_CORE(regs) + PT_REGS_PARM3_CORE(regs) +
	      PT_REGS_PARM4_CORE(regs) + PT_REGS_PARM5_CORE(regs);
	out = PT_REGS_RET_CORE(regs) + PT_REGS_FP_CORE(regs) + PT_REGS_RC_CORE(regs) +
	      PT_REGS_SP_CORE(regs) + PT_REGS_IP_CORE(regs);
	out = PT_REGS_PARM1_SYSCALL(ctx) + PT_REGS_PARM2_SYSCALL(ctx) +
	      PT_REGS_PARM3_SYSCALL(ctx) + PT_REGS_PARM4_SYSCALL(ctx) +
	      PT_REGS_PARM5_SYSCALL(ctx);
	out = PT_REGS_PARM1_CORE_SYSCALL(regs) + PT_REGS_PARM2_CORE_SYSCALL(regs) +
	      PT_REGS_PARM3_CORE_SYSCALL(regs) + PT_REGS_PARM4_CORE_SYSCALL(regs) +
	      PT_REGS_PARM5_CORE_SYSCALL(regs);
	return 0;
}

#ifndef bpf_target_x86
#error "the target is known by its macro"
#endif

char _license[] SEC("license") = "GPL";
