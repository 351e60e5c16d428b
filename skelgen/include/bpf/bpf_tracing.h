/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Typed arguments for tracing programs, and the registers they come from.
 *
 *	SEC("fentry/do_unlinkat")
 *	int BPF_PROG(on_unlink, int dfd, struct filename *name) { ... }
 *
 *	SEC("kprobe/do_unlinkat")
 *	int BPF_KPROBE(on_unlink, int dfd, struct filename *name) { ... }
 *
 * declare a program that the kernel calls with a bare context, and a body that
 * sees arguments; `ctx` stays in reach for the helpers that want it. What reads
 * registers (all but BPF_PROG and BPF_PROG2) differs between architectures: compile
 * with -D__TARGET_ARCH_x, x one of x86 arm64 riscv s390 powerpc arm mips loongarch
 * sparc arc.
 */
#ifndef __BPF_TRACING_H__
#define __BPF_TRACING_H__

#include "bpf_helpers.h"

/* ---- Which architecture ------------------------------------------------------ */

#if defined(__TARGET_ARCH_x86)
#define bpf_target_x86
#elif defined(__TARGET_ARCH_arm64)
#define bpf_target_arm64
#elif defined(__TARGET_ARCH_riscv)
#define bpf_target_riscv
#elif defined(__TARGET_ARCH_s390)
#define bpf_target_s390
#elif defined(__TARGET_ARCH_powerpc)
#define bpf_target_powerpc
#elif defined(__TARGET_ARCH_arm)
#define bpf_target_arm
#elif defined(__TARGET_ARCH_mips)
#define bpf_target_mips
#elif defined(__TARGET_ARCH_loongarch)
#define bpf_target_loongarch
#elif defined(__TARGET_ARCH_sparc)
#define bpf_target_sparc
#elif defined(__TARGET_ARCH_arc)
#define bpf_target_arc
/* Not compiling for BPF, or told the machine's own macros on the command line. */
#elif defined(__x86_64__)
#define bpf_target_x86
#elif defined(__aarch64__)
#define bpf_target_arm64
#elif defined(__riscv) && __riscv_xlen == 64
#define bpf_target_riscv
#elif defined(__s390__)
#define bpf_target_s390
#elif defined(__powerpc__)
#define bpf_target_powerpc
#elif defined(__arm__)
#define bpf_target_arm
#elif defined(__mips__)
#define bpf_target_mips
#elif defined(__loongarch__)
#define bpf_target_loongarch
#elif defined(__sparc__)
#define bpf_target_sparc
#elif defined(__arc__)
#define bpf_target_arc
#else
#define ___bpf_target_unknown
#endif

#ifndef ___bpf_target_unknown
#define bpf_target_defined
#endif

/* what the build stops with where registers are read and the target is not known */
#ifndef __BPF_TARGET_MISSING
#define __BPF_TARGET_MISSING \
	"GCC error \"compile with -D__TARGET_ARCH_x86 (or arm64, riscv, s390, powerpc, ...)\""
#endif

/* ---- Registers -----------------------------------------------------------------
 *
 * Members of struct pt_regs, by the calling convention of each architecture:
 * arguments of a function, those of a system call where they differ, return
 * address (or where it is), frame pointer, result, stack pointer, program counter.
 *
 * On some the layout of pt_regs is no UAPI; they export a type of its leading part,
 * which __PT_REGS_CAST() names. The first argument of a system call may be kept
 * elsewhere, as the register also takes the result: behind the exported part, so
 * that CO-RE has to find it.
 */
#if defined(bpf_target_x86)

#if defined(__KERNEL__) || defined(__VMLINUX_H__) /* the kernel's names */
#define __PT_PARM1_REG di
#define __PT_PARM2_REG si
#define __PT_PARM3_REG dx
#define __PT_PARM4_REG cx
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
#define __PT_PARM4_SYSCALL_REG r10
#define __PT_RET_REG sp
#define __PT_FP_REG bp
#define __PT_RC_REG ax
#define __PT_SP_REG sp
#define __PT_IP_REG ip
#elif !defined(__i386__) /* those of <linux/ptrace.h> */
#define __PT_PARM1_REG rdi
#define __PT_PARM2_REG rsi
#define __PT_PARM3_REG rdx
#define __PT_PARM4_REG rcx
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
#define __PT_PARM4_SYSCALL_REG r10
#define __PT_RET_REG rsp
#define __PT_FP_REG rbp
#define __PT_RC_REG rax
#define __PT_SP_REG rsp
#define __PT_IP_REG rip
#else /* 32 bits: the kernel passes three arguments in registers */
#define __PT_PARM1_REG eax
#define __PT_PARM2_REG edx
#define __PT_PARM3_REG ecx
#define __PT_PARM1_SYSCALL_REG ebx
#define __PT_PARM2_SYSCALL_REG ecx
#define __PT_PARM3_SYSCALL_REG edx
#define __PT_PARM4_SYSCALL_REG esi
#define __PT_PARM5_SYSCALL_REG edi
#define __PT_PARM6_SYSCALL_REG ebp
#define __PT_RET_REG esp
#define __PT_FP_REG ebp
#define __PT_RC_REG eax
#define __PT_SP_REG esp
#define __PT_IP_REG eip
#endif

#elif defined(bpf_target_arm64)

struct pt_regs___arm64 {
	unsigned long orig_x0;
} __attribute__((preserve_access_index));
#define __PT_REGS_CAST(x) ((const struct user_pt_regs *)(x))
#define ___PT_REGS_SYSCALL1_CAST(x) ((const struct pt_regs___arm64 *)(x))
#define __PT_PARM1_SYSCALL_REG orig_x0
#define __PT_PARM1_REG regs[0]
#define __PT_PARM2_REG regs[1]
#define __PT_PARM3_REG regs[2]
#define __PT_PARM4_REG regs[3]
#define __PT_PARM5_REG regs[4]
#define __PT_PARM6_REG regs[5]
#define __PT_PARM7_REG regs[6]
#define __PT_PARM8_REG regs[7]
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG regs[30]
#define __PT_FP_REG regs[29] /* with CONFIG_FRAME_POINTER */
#define __PT_RC_REG regs[0]
#define __PT_SP_REG sp
#define __PT_IP_REG pc

#elif defined(bpf_target_riscv)

struct pt_regs___riscv {
	unsigned long orig_a0;
} __attribute__((preserve_access_index));
#define __PT_REGS_CAST(x) ((const struct user_regs_struct *)(x))
#define ___PT_REGS_SYSCALL1_CAST(x) ((const struct pt_regs___riscv *)(x))
#define __PT_PARM1_SYSCALL_REG orig_a0
#define __PT_PARM1_REG a0
#define __PT_PARM2_REG a1
#define __PT_PARM3_REG a2
#define __PT_PARM4_REG a3
#define __PT_PARM5_REG a4
#define __PT_PARM6_REG a5
#define __PT_PARM7_REG a6
#define __PT_PARM8_REG a7
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG ra
#define __PT_FP_REG s0
#define __PT_RC_REG a0
#define __PT_SP_REG sp
#define __PT_IP_REG pc

#elif defined(bpf_target_s390)

struct pt_regs___s390 {
	unsigned long orig_gpr2;
} __attribute__((preserve_access_index));
#define __PT_REGS_CAST(x) ((const user_pt_regs *)(x))
#define ___PT_REGS_SYSCALL1_CAST(x) ((const struct pt_regs___s390 *)(x))
#define __PT_PARM1_SYSCALL_REG orig_gpr2
#define __PT_PARM1_REG gprs[2]
#define __PT_PARM2_REG gprs[3]
#define __PT_PARM3_REG gprs[4]
#define __PT_PARM4_REG gprs[5]
#define __PT_PARM5_REG gprs[6]
#define __PT_PARM6_SYSCALL_REG gprs[7]
#define __PT_RET_REG gprs[14]
#define __PT_FP_REG gprs[11] /* with CONFIG_FRAME_POINTER */
#define __PT_RC_REG gprs[2]
#define __PT_SP_REG gprs[15]
#define __PT_IP_REG psw.addr

#elif defined(bpf_target_powerpc)

#define __PT_PARM1_SYSCALL_REG orig_gpr3
#define __PT_PARM1_REG gpr[3]
#define __PT_PARM2_REG gpr[4]
#define __PT_PARM3_REG gpr[5]
#define __PT_PARM4_REG gpr[6]
#define __PT_PARM5_REG gpr[7]
#define __PT_PARM6_REG gpr[8]
#define __PT_PARM7_REG gpr[9]
#define __PT_PARM8_REG gpr[10]
#ifndef __arch64__ /* seven only in 32-bit kernels */
#define __PT_PARM7_SYSCALL_REG gpr[9]
#endif
#define __PT_RET_REG link
#define __PT_FP_REG __unsupported__
#define __PT_RC_REG gpr[3]
#define __PT_SP_REG gpr[1]
#define __PT_IP_REG nip
#define ___PT_NO_SYSCALL_WRAPPER

#elif defined(bpf_target_arm)

#define __PT_PARM1_REG uregs[0]
#define __PT_PARM2_REG uregs[1]
#define __PT_PARM3_REG uregs[2]
#define __PT_PARM4_REG uregs[3]
#define __PT_PARM5_SYSCALL_REG uregs[4]
#define __PT_PARM6_SYSCALL_REG uregs[5]
#define __PT_PARM7_SYSCALL_REG uregs[6]
#define __PT_RET_REG uregs[14]
#define __PT_FP_REG uregs[11] /* with CONFIG_FRAME_POINTER */
#define __PT_RC_REG uregs[0]
#define __PT_SP_REG uregs[13]
#define __PT_IP_REG uregs[15]

#elif defined(bpf_target_mips) /* N64 */

#define __PT_PARM1_REG regs[4]
#define __PT_PARM2_REG regs[5]
#define __PT_PARM3_REG regs[6]
#define __PT_PARM4_REG regs[7]
#define __PT_PARM5_REG regs[8]
#define __PT_PARM6_REG regs[9]
#define __PT_PARM7_REG regs[10]
#define __PT_PARM8_REG regs[11]
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG regs[31]
#define __PT_FP_REG regs[30] /* with CONFIG_FRAME_POINTER */
#define __PT_RC_REG regs[2]
#define __PT_SP_REG regs[29]
#define __PT_IP_REG cp0_epc

#elif defined(bpf_target_loongarch)

#define __PT_REGS_CAST(x) ((const struct user_pt_regs *)(x))
#define __PT_PARM1_REG regs[4]
#define __PT_PARM2_REG regs[5]
#define __PT_PARM3_REG regs[6]
#define __PT_PARM4_REG regs[7]
#define __PT_PARM5_REG regs[8]
#define __PT_PARM6_REG regs[9]
#define __PT_PARM7_REG regs[10]
#define __PT_PARM8_REG regs[11]
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG regs[1]
#define __PT_FP_REG regs[22]
#define __PT_RC_REG regs[4]
#define __PT_SP_REG regs[3]
#define __PT_IP_REG csr_era
#define ___PT_NO_SYSCALL_WRAPPER

#elif defined(bpf_target_sparc)

#ifndef UREG_I0 /* of <asm/ptrace.h>, which has them as macros: not in vmlinux.h */
#define UREG_I0 8
#define UREG_I1 9
#define UREG_I2 10
#define UREG_I3 11
#define UREG_I4 12
#define UREG_I5 13
#define UREG_I7 15
#define UREG_FP 14
#endif
#define __PT_PARM1_REG u_regs[UREG_I0]
#define __PT_PARM2_REG u_regs[UREG_I1]
#define __PT_PARM3_REG u_regs[UREG_I2]
#define __PT_PARM4_REG u_regs[UREG_I3]
#define __PT_PARM5_REG u_regs[UREG_I4]
#define __PT_PARM6_REG u_regs[UREG_I5]
#define __PT_RET_REG u_regs[UREG_I7]
#define __PT_FP_REG __unsupported__
#define __PT_RC_REG u_regs[UREG_I0]
#define __PT_SP_REG u_regs[UREG_FP]
#ifdef __arch64__
#define __PT_IP_REG tpc
#else
#define __PT_IP_REG pc
#endif

#elif defined(bpf_target_arc)

#define __PT_REGS_CAST(x) ((const struct user_regs_struct *)(x))
#define __PT_PARM1_REG scratch.r0
#define __PT_PARM2_REG scratch.r1
#define __PT_PARM3_REG scratch.r2
#define __PT_PARM4_REG scratch.r3
#define __PT_PARM5_REG scratch.r4
#define __PT_PARM6_REG scratch.r5
#define __PT_PARM7_REG scratch.r6
#define __PT_PARM8_REG scratch.r7
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG scratch.blink
#define __PT_FP_REG scratch.fp
#define __PT_RC_REG scratch.r0
#define __PT_SP_REG scratch.sp
#define __PT_IP_REG scratch.ret
#define ___PT_NO_SYSCALL_WRAPPER

#endif

/* What an architecture does not say: a register that is not there is a member that
 * is not there; a system call takes its arguments where a function does.
 */
#ifndef __PT_REGS_CAST
#define __PT_REGS_CAST(x) (x)
#endif
#ifndef __PT_PARM4_REG
#define __PT_PARM4_REG __unsupported__
#endif
#ifndef __PT_PARM5_REG
#define __PT_PARM5_REG __unsupported__
#endif
#ifndef __PT_PARM6_REG
#define __PT_PARM6_REG __unsupported__
#endif
#ifndef __PT_PARM7_REG
#define __PT_PARM7_REG __unsupported__
#endif
#ifndef __PT_PARM8_REG
#define __PT_PARM8_REG __unsupported__
#endif
#ifndef ___PT_REGS_SYSCALL1_CAST
#define ___PT_REGS_SYSCALL1_CAST(x) __PT_REGS_CAST(x)
#endif
#ifndef __PT_PARM1_SYSCALL_REG
#define __PT_PARM1_SYSCALL_REG __PT_PARM1_REG
#endif
#ifndef __PT_PARM2_SYSCALL_REG
#define __PT_PARM2_SYSCALL_REG __PT_PARM2_REG
#endif
#ifndef __PT_PARM3_SYSCALL_REG
#define __PT_PARM3_SYSCALL_REG __PT_PARM3_REG
#endif
#ifndef __PT_PARM4_SYSCALL_REG
#define __PT_PARM4_SYSCALL_REG __PT_PARM4_REG
#endif
#ifndef __PT_PARM5_SYSCALL_REG
#define __PT_PARM5_SYSCALL_REG __PT_PARM5_REG
#endif
#ifndef __PT_PARM6_SYSCALL_REG
#define __PT_PARM6_SYSCALL_REG __PT_PARM6_REG
#endif
#ifndef __PT_PARM7_SYSCALL_REG
#define __PT_PARM7_SYSCALL_REG __unsupported__
#endif

struct pt_regs;

/* Read a register of a context with a plain load, or with CO-RE from any struct
 * pt_regs; without a target, stop the build.
 */
#ifdef bpf_target_defined
#define ___pt_load(regs, reg) ((regs)->reg)
#define ___pt_read(regs, reg) BPF_CORE_READ(regs, reg)
#else
#define ___pt_load(regs, reg) ({ _Pragma(__BPF_TARGET_MISSING); 0l; })
#define ___pt_read(regs, reg) ({ _Pragma(__BPF_TARGET_MISSING); 0l; })
#endif

/* of the function that a kprobe or uprobe stopped at */
#define PT_REGS_PARM1(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM1_REG)
#define PT_REGS_PARM2(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM2_REG)
#define PT_REGS_PARM3(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM3_REG)
#define PT_REGS_PARM4(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM4_REG)
#define PT_REGS_PARM5(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM5_REG)
#define PT_REGS_PARM6(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM6_REG)
#define PT_REGS_PARM7(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM7_REG)
#define PT_REGS_PARM8(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM8_REG)
#define PT_REGS_RET(x) ___pt_load(__PT_REGS_CAST(x), __PT_RET_REG)
#define PT_REGS_FP(x) ___pt_load(__PT_REGS_CAST(x), __PT_FP_REG)
#define PT_REGS_RC(x) ___pt_load(__PT_REGS_CAST(x), __PT_RC_REG)
#define PT_REGS_SP(x) ___pt_load(__PT_REGS_CAST(x), __PT_SP_REG)
#define PT_REGS_IP(x) ___pt_load(__PT_REGS_CAST(x), __PT_IP_REG)

/* from a pt_regs that is no context */
#define PT_REGS_PARM1_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM1_REG)
#define PT_REGS_PARM2_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM2_REG)
#define PT_REGS_PARM3_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM3_REG)
#define PT_REGS_PARM4_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM4_REG)
#define PT_REGS_PARM5_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM5_REG)
#define PT_REGS_PARM6_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM6_REG)
#define PT_REGS_PARM7_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM7_REG)
#define PT_REGS_PARM8_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM8_REG)
#define PT_REGS_RET_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_RET_REG)
#define PT_REGS_FP_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_FP_REG)
#define PT_REGS_RC_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_RC_REG)
#define PT_REGS_SP_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_SP_REG)
#define PT_REGS_IP_CORE(x) ___pt_read(__PT_REGS_CAST(x), __PT_IP_REG)

/* of the system call that the pt_regs of PT_REGS_SYSCALL_REGS() belong to */
#define PT_REGS_PARM1_SYSCALL(x) \
	___pt_load(___PT_REGS_SYSCALL1_CAST(x), __PT_PARM1_SYSCALL_REG)
#define PT_REGS_PARM2_SYSCALL(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM2_SYSCALL_REG)
#define PT_REGS_PARM3_SYSCALL(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM3_SYSCALL_REG)
#define PT_REGS_PARM4_SYSCALL(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_SYSCALL(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM5_SYSCALL_REG)
#define PT_REGS_PARM6_SYSCALL(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM6_SYSCALL_REG)
#define PT_REGS_PARM7_SYSCALL(x) ___pt_load(__PT_REGS_CAST(x), __PT_PARM7_SYSCALL_REG)

#define PT_REGS_PARM1_CORE_SYSCALL(x) \
	___pt_read(___PT_REGS_SYSCALL1_CAST(x), __PT_PARM1_SYSCALL_REG)
#define PT_REGS_PARM2_CORE_SYSCALL(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM2_SYSCALL_REG)
#define PT_REGS_PARM3_CORE_SYSCALL(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM3_SYSCALL_REG)
#define PT_REGS_PARM4_CORE_SYSCALL(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_CORE_SYSCALL(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM5_SYSCALL_REG)
#define PT_REGS_PARM6_CORE_SYSCALL(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM6_SYSCALL_REG)
#define PT_REGS_PARM7_CORE_SYSCALL(x) ___pt_read(__PT_REGS_CAST(x), __PT_PARM7_SYSCALL_REG)

/* In the handler of a system call's kprobe: the caller's registers. Most kernels
 * hand such a function just a pointer to them (CONFIG_ARCH_HAS_SYSCALL_WRAPPER).
 */
#ifdef ___PT_NO_SYSCALL_WRAPPER
#define PT_REGS_SYSCALL_REGS(ctx) ctx
#else
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#endif

/* The return address into `ip`: at the entry of a function (BPF_KPROBE_) or at its
 * end (BPF_KRETPROBE_). On x86 it is on the stack, elsewhere in a register.
 */
#if defined(bpf_target_x86)
#define ___bpf_read_ip(ip, at) \
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)(at)); })
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ___bpf_read_ip(ip, PT_REGS_RET(ctx))
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx) \
	___bpf_read_ip(ip, PT_REGS_FP(ctx) + sizeof(ip))
#else
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ({ (ip) = PT_REGS_RET(ctx); })
#define BPF_KRETPROBE_READ_RET_IP BPF_KPROBE_READ_RET_IP
#endif

/* ---- Programs with arguments ---------------------------------------------------- */

/* A program `name`, of a context alone, whose result is that of `call`, and the head
 * of its body ____name(), which `call` calls. What is left of the macro is its result
 * type and SEC(). `before` is what else to declare. The values for the body are u64,
 * taken for whatever type it declares.
 */
#define ___bpf_program(name, context, before, call, params...)               \
	name(context *ctx);                                                  \
	before                                                               \
	static __always_inline typeof(name(0)) ____##name(context *ctx, ##params); \
	typeof(name(0)) name(context *ctx)                                   \
	{                                                                    \
		_Pragma("GCC diagnostic push")                               \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")       \
		return call;                                                 \
		_Pragma("GCC diagnostic pop")                                \
	}                                                                    \
	static __always_inline typeof(name(0)) ____##name(context *ctx, ##params)

/* Each of these gives `ctx` and, for the arguments declared, their values. */
#define ___bpf_ctx_value(n) , ctx[n - 1]
#define ___bpf_kprobe_value(n) , (unsigned long long)PT_REGS_PARM##n(ctx)
#define ___bpf_kretprobe_value(n) , (unsigned long long)PT_REGS_RC(ctx)
#define ___bpf_syscall_value(n) , (unsigned long long)PT_REGS_PARM##n##_SYSCALL(regs)
#define ___bpf_syswrap_value(n) , (unsigned long long)PT_REGS_PARM##n##_CORE_SYSCALL(regs)
#define ___bpf_ctx_cast(args...) ctx ___bpf_per_arg(___bpf_ctx_value, ##args)
#define ___bpf_kprobe_args(args...) ctx ___bpf_per_arg(___bpf_kprobe_value, ##args)
#define ___bpf_kretprobe_args(args...) ctx ___bpf_per_arg(___bpf_kretprobe_value, ##args)
#define ___bpf_syscall_args(args...) ctx ___bpf_per_arg(___bpf_syscall_value, ##args)
#define ___bpf_syswrap_args(args...) ctx ___bpf_per_arg(___bpf_syswrap_value, ##args)

/* Programs whose context is an array of u64, an argument in each: fentry, fexit,
 * fmod_ret, lsm, tp_btf, raw_tp, iter, struct_ops.
 */
#define BPF_PROG(name, args...) \
	___bpf_program(name, unsigned long long, , ____##name(___bpf_ctx_cast(args)), ##args)

/* kprobe: up to as many arguments as the architecture passes in registers */
#define BPF_KPROBE(name, args...) \
	___bpf_program(name, struct pt_regs, , ____##name(___bpf_kprobe_args(args)), ##args)

/* kretprobe: the result, if wanted; the arguments are gone by then */
#define BPF_KRETPROBE(name, args...) \
	___bpf_program(name, struct pt_regs, , ____##name(___bpf_kretprobe_args(args)), ##args)

#define BPF_UPROBE(name, args...) BPF_KPROBE(name, ##args)
#define BPF_URETPROBE(name, args...) BPF_KRETPROBE(name, ##args)

/* ksyscall, or a kprobe on a system call's function: arguments of the system call,
 * with or without the wrapper around it (the loader says which). Not followed: the
 * orders of clone(), old mmap(), socketcall() and 32-bit calls on a 64-bit kernel.
 * Needs "bpf_core_read.h".
 */
#define BPF_KSYSCALL(name, args...)                                          \
	___bpf_program(name, struct pt_regs,                                 \
		       extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;,    \
		       ___bpf_syscall(____##name, ##args), ##args)
#define ___bpf_syscall(body, args...)                                        \
	({                                                                   \
		struct pt_regs *regs __attribute__((unused)) = ctx;          \
                                                                             \
		if (LINUX_HAS_SYSCALL_WRAPPER)                               \
			regs = (struct pt_regs *)PT_REGS_PARM1(ctx);         \
		LINUX_HAS_SYSCALL_WRAPPER ? body(___bpf_syswrap_args(args)) : \
					    body(___bpf_syscall_args(args)); \
	})
#define BPF_KPROBE_SYSCALL BPF_KSYSCALL

/* ---- Programs with arguments passed as structures ---------------------------------
 *
 *	int BPF_PROG2(name, struct pair, p, int, n) { ... }
 *
 * BPF_PROG with a comma between type and name. An argument of more than 8 bytes, up
 * to 16, takes two of the context's u64, so that types have to be known to count.
 */
#define ___bpf_slots(type) (sizeof(type) > 8 ? 2 : 1)

/* an unsigned integer that holds the type, the size of the register's part in use */
#define ___bpf_word(type)                                                    \
	typeof(__builtin_choose_expr(sizeof(type) == 1, (__u8)0,             \
	       __builtin_choose_expr(sizeof(type) == 2, (__u16)0,            \
	       __builtin_choose_expr(sizeof(type) == 4, (__u32)0, (__u64)0))))

/* the argument that starts at ctx[at] */
#define ___bpf_struct_arg(at, type)                                          \
	({                                                                   \
		union {                                                      \
			___bpf_word(type) words[___bpf_slots(type)];         \
			typeof(type) whole;                                  \
		} ___arg;                                                    \
                                                                             \
		_Static_assert(sizeof(type) <= 16,                           \
			       "an argument of more than 16 bytes is not in registers"); \
		___arg.words[0] = ctx[at];                                   \
		if (___bpf_slots(type) == 2)                                 \
			___arg.words[___bpf_slots(type) - 1] = ctx[(at) + 1]; \
		___arg.whole;                                                \
	})

/* Pairs of type and name: how many, f() of each, their values, their declarations. */
#ifndef ___bpf_nth2
#define ___bpf_nth2(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, \
		    a15, a16, a17, a18, a19, a20, a21, a22, a23, a24, hit, ...) hit
#endif
#ifndef ___bpf_narg2
#define ___bpf_narg2(...)                                                    \
	___bpf_nth2(0, ##__VA_ARGS__, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 7, 7, \
		    6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0)
#endif

#define ___bpf_values0(at, none...)
#define ___bpf_values1(at, t, x) , ___bpf_struct_arg(at, t)
#define ___bpf_values2(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values1((at) + ___bpf_slots(t), more)
#define ___bpf_values3(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values2((at) + ___bpf_slots(t), more)
#define ___bpf_values4(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values3((at) + ___bpf_slots(t), more)
#define ___bpf_values5(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values4((at) + ___bpf_slots(t), more)
#define ___bpf_values6(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values5((at) + ___bpf_slots(t), more)
#define ___bpf_values7(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values6((at) + ___bpf_slots(t), more)
#define ___bpf_values8(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values7((at) + ___bpf_slots(t), more)
#define ___bpf_values9(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values8((at) + ___bpf_slots(t), more)
#define ___bpf_values10(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values9((at) + ___bpf_slots(t), more)
#define ___bpf_values11(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values10((at) + ___bpf_slots(t), more)
#define ___bpf_values12(at, t, x, more...) \
	___bpf_values1(at, t, x) ___bpf_values11((at) + ___bpf_slots(t), more)

#define ___bpf_pairs0(f, none...)
#define ___bpf_pairs1(f, t, x) f(t, x)
#define ___bpf_pairs2(f, t, x, more...) f(t, x) ___bpf_pairs1(f, more)
#define ___bpf_pairs3(f, t, x, more...) f(t, x) ___bpf_pairs2(f, more)
#define ___bpf_pairs4(f, t, x, more...) f(t, x) ___bpf_pairs3(f, more)
#define ___bpf_pairs5(f, t, x, more...) f(t, x) ___bpf_pairs4(f, more)
#define ___bpf_pairs6(f, t, x, more...) f(t, x) ___bpf_pairs5(f, more)
#define ___bpf_pairs7(f, t, x, more...) f(t, x) ___bpf_pairs6(f, more)
#define ___bpf_pairs8(f, t, x, more...) f(t, x) ___bpf_pairs7(f, more)
#define ___bpf_pairs9(f, t, x, more...) f(t, x) ___bpf_pairs8(f, more)
#define ___bpf_pairs10(f, t, x, more...) f(t, x) ___bpf_pairs9(f, more)
#define ___bpf_pairs11(f, t, x, more...) f(t, x) ___bpf_pairs10(f, more)
#define ___bpf_pairs12(f, t, x, more...) f(t, x) ___bpf_pairs11(f, more)

#define ___bpf_ctx_arg(args...) \
	___bpf_apply(___bpf_values, ___bpf_narg2(args))(0, args)
#define ___bpf_declare(t, x) , t x
#define ___bpf_ctx_decl(args...) \
	___bpf_apply(___bpf_pairs, ___bpf_narg2(args))(___bpf_declare, args)

#define BPF_PROG2(name, args...)                                             \
	___bpf_spread(___bpf_program, name, unsigned long long, ,            \
		      ____##name(ctx ___bpf_ctx_arg(args)) ___bpf_ctx_decl(args))
/* f() of arguments that become apparent only when they are expanded */
#define ___bpf_spread(f, args...) f(args)

#endif
