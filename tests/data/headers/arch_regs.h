// Registers as the kernel keeps them, of the architecture compiled for.
#ifndef ARCH_REGS_H
#define ARCH_REGS_H

typedef unsigned char __u8;
typedef unsigned short __u16, __be16;
typedef short __s16;
typedef unsigned int __u32, __be32, __wsum;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef unsigned long word;

#define __VMLINUX_H__
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	word r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip;
	word cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	word regs[31], sp, pc, pstate;
};
#elif defined(__TARGET_ARCH_riscv)
struct user_regs_struct {
	word pc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
};
#elif defined(__TARGET_ARCH_s390)
typedef struct {
	word mask, addr;
} psw_t;
typedef struct {
	word args[1];
	psw_t psw;
	word gprs[16];
} user_pt_regs;
#elif defined(__TARGET_ARCH_powerpc)
struct pt_regs {
	word gpr[32], nip, msr, orig_gpr3, ctr, link;
};
#elif defined(__TARGET_ARCH_arm)
struct pt_regs {
	word uregs[18];
};
#elif defined(__TARGET_ARCH_mips)
struct pt_regs {
	word regs[32], cp0_status, hi, lo, cp0_badvaddr, cp0_cause, cp0_epc;
};
#elif defined(__TARGET_ARCH_loongarch)
struct user_pt_regs {
	word regs[32], orig_a0, csr_era, csr_badv;
};
#elif defined(__TARGET_ARCH_sparc)
struct pt_regs {
	word u_regs[16], tstate, tpc, tnpc;
};
#elif defined(__TARGET_ARCH_arc)
struct user_regs_struct {
	word pad;
	struct {
		word bta, lp_start, lp_end, lp_count, status32, ret, blink, fp, gp;
		word r12, r11, r10, r9, r8, r7, r6, r5, r4, r3, r2, r1, r0, sp;
	} scratch;
};
#endif

#pragma clang attribute pop

#endif
