/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USDT probes: markers that a program carries at fixed places in its code, with
 * arguments. The compiler left each argument wherever it was, a constant, a
 * register or memory, and says so in a note of the ELF file.
 *
 *	SEC("usdt/libc.so.6:libc:setjmp")
 *	int BPF_USDT(on_setjmp, void *env, int saved, void *ip) { ... }
 *
 * The loader reads the notes and puts what it finds into the map __bpf_usdt_specs,
 * one entry for all the places with arguments in the same spots; which entry is
 * this place's comes with the context. Here an argument is fetched by that entry.
 */
#ifndef __USDT_BPF_H__
#define __USDT_BPF_H__

/* Programs rely on the error numbers of this header; on a machine without it, or
 * with just a vmlinux.h, they are not missed here.
 */
#ifdef __has_include
#if __has_include(<linux/errno.h>) && __has_include(<asm/errno.h>) && \
	__has_include(<asm-generic/errno.h>)
#include <linux/errno.h>
#endif
#endif

#include "bpf_helpers.h"
#include "bpf_tracing.h"

/* The same on all architectures. */
#define ___BPF_USDT_ENOENT 2 /* no argument of that number */
#define ___BPF_USDT_ESRCH 3  /* the loader has not told of this place */
#define ___BPF_USDT_EINVAL 22 /* in a spot that this header does not know */

/* Room in the maps: places with arguments in different spots, and, where the kernel
 * has no cookies (before 5.15), all places; may be set before this is included.
 */
#ifndef BPF_USDT_MAX_SPEC_CNT
#define BPF_USDT_MAX_SPEC_CNT 256
#endif
#ifndef BPF_USDT_MAX_IP_CNT
#define BPF_USDT_MAX_IP_CNT (4 * BPF_USDT_MAX_SPEC_CNT)
#endif

/* arguments of a probe, as many as <sys/sdt.h> can pass */
#define BPF_USDT_MAX_ARG_CNT 12

/* ---- What the loader fills in: the layout is shared with it --------------------- */

enum __bpf_usdt_arg_type {
	BPF_USDT_ARG_CONST,     /* val_off is the value */
	BPF_USDT_ARG_REG,       /* in the register */
	BPF_USDT_ARG_REG_DEREF, /* in user memory at register + val_off */
	BPF_USDT_ARG_SIB,       /* at register + (index << scale_bitshift) + val_off */
};

/* 16 bytes. The word after val_off was the type alone once; a loader that still
 * sees it so sets the rest of it to zero.
 */
struct __bpf_usdt_arg_spec {
	__u64 val_off;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	__u32 arg_type : 8; /* enum __bpf_usdt_arg_type */
	__u32 idx_reg_off : 12; /* of the index register in struct pt_regs, bytes */
	__u32 scale_bitshift : 4; /* 0 to 3: the index counts 1, 2, 4 or 8 bytes */
	__u32 __reserved : 8;
#else
	__u32 __reserved : 8;
	__u32 scale_bitshift : 4;
	__u32 idx_reg_off : 12;
	__u32 arg_type : 8;
#endif
	short reg_off; /* of the register in struct pt_regs, bytes */
	_Bool arg_signed;
	char arg_bitshift; /* 64 less the bits of the argument */
};

struct __bpf_usdt_spec {
	struct __bpf_usdt_arg_spec args[BPF_USDT_MAX_ARG_CNT];
	__u64 usdt_cookie; /* the user's */
	short arg_cnt;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BPF_USDT_MAX_SPEC_CNT);
	__type(key, int);
	__type(value, struct __bpf_usdt_spec);
} __bpf_usdt_specs SEC(".maps") __weak;

/* Without cookies: from the address of a place to its entry. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BPF_USDT_MAX_IP_CNT);
	__type(key, long);
	__type(value, __u32);
} __bpf_usdt_ip_to_spec_id SEC(".maps") __weak;

extern const _Bool LINUX_HAS_BPF_COOKIE __kconfig;

/* ---- Fetching arguments ---------------------------------------------------------- */

static __always_inline int __bpf_usdt_spec_id(struct pt_regs *ctx)
{
	long ip;
	int *id;

	if (LINUX_HAS_BPF_COOKIE)
		return bpf_get_attach_cookie(ctx);
	ip = PT_REGS_IP(ctx);
	id = bpf_map_lookup_elem(&__bpf_usdt_ip_to_spec_id, &ip);
	return id ? *id : -___BPF_USDT_ESRCH;
}

/* the entry of this place, NULL if there is none */
static __always_inline struct __bpf_usdt_spec *___bpf_usdt_spec(struct pt_regs *ctx)
{
	int id = __bpf_usdt_spec_id(ctx);

	if (id < 0)
		return NULL;
	return bpf_map_lookup_elem(&__bpf_usdt_specs, &id);
}

/* argument `n` of an entry, NULL if it has none of that number; two checks, as the
 * verifier does not know that no entry has more than the first allows, and on one and
 * the same 64-bit register, as it does not follow the compiler's shortcuts
 */
static __always_inline struct __bpf_usdt_arg_spec *
___bpf_usdt_arg_spec(struct __bpf_usdt_spec *spec, __u64 n)
{
	barrier_var(n);
	if (n >= BPF_USDT_MAX_ARG_CNT)
		return NULL;
	barrier_var(n);
	if (n >= (__u64)spec->arg_cnt)
		return NULL;
	return &spec->args[n];
}

/* a register, by its place in the context; one that the verifier does not let a
 * program reach with an offset it cannot know, hence a helper
 */
static __always_inline long ___bpf_usdt_register(struct pt_regs *ctx, __u64 offset,
						 unsigned long *value)
{
	return bpf_probe_read_kernel(value, sizeof(*value), (void *)ctx + offset);
}

/* How many arguments this probe has; -ESRCH if nothing is known of it. */
__weak __hidden int bpf_usdt_arg_cnt(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = ___bpf_usdt_spec(ctx);

	return spec ? spec->arg_cnt : -___BPF_USDT_ESRCH;
}

/* The bytes of argument `arg_num` (from 0), or -ESRCH, -ENOENT. */
static __always_inline int bpf_usdt_arg_size(struct pt_regs *ctx, __u64 arg_num)
{
	struct __bpf_usdt_spec *spec = ___bpf_usdt_spec(ctx);
	struct __bpf_usdt_arg_spec *arg;

	if (!spec)
		return -___BPF_USDT_ESRCH;
	arg = ___bpf_usdt_arg_spec(spec, arg_num);
	if (!arg)
		return -___BPF_USDT_ENOENT;
	return (unsigned int)(64 - arg->arg_bitshift) / 8;
}

/* Argument `arg_num` (from 0) into *res, widened to 64 bits by its sign. 0, or a
 * negative error and *res is 0.
 */
__weak __hidden int bpf_usdt_arg(struct pt_regs *ctx, __u64 arg_num, long *res)
{
	struct __bpf_usdt_spec *spec;
	struct __bpf_usdt_arg_spec *arg;
	unsigned long value, index = 0;
	long err;

	*res = 0;
	spec = ___bpf_usdt_spec(ctx);
	if (!spec)
		return -___BPF_USDT_ESRCH;
	arg = ___bpf_usdt_arg_spec(spec, arg_num);
	if (!arg)
		return -___BPF_USDT_ENOENT;

	switch (arg->arg_type) {
	case BPF_USDT_ARG_CONST:
		value = arg->val_off;
		break;
	case BPF_USDT_ARG_REG:
		err = ___bpf_usdt_register(ctx, arg->reg_off, &value);
		if (err)
			return err;
		break;
	case BPF_USDT_ARG_SIB:
		err = ___bpf_usdt_register(ctx, arg->idx_reg_off, &index);
		if (err)
			return err;
		index <<= arg->scale_bitshift;
		/* fall through */
	case BPF_USDT_ARG_REG_DEREF:
		err = ___bpf_usdt_register(ctx, arg->reg_off, &value);
		if (err)
			return err;
		value += index + arg->val_off;
		err = bpf_probe_read_user(&value, sizeof(value), (void *)value);
		if (err)
			return err;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		value >>= arg->arg_bitshift; /* read from the argument's first byte on */
#endif
		break;
	default:
		return -___BPF_USDT_EINVAL;
	}

	value <<= arg->arg_bitshift;
	if (arg->arg_signed)
		*res = (long)value >> arg->arg_bitshift;
	else
		*res = value >> arg->arg_bitshift;
	return 0;
}

/* The cookie that the user attached with (the kernel's own holds the entry), else 0. */
__weak __hidden long bpf_usdt_cookie(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = ___bpf_usdt_spec(ctx);

	return spec ? spec->usdt_cookie : 0;
}

/* ---- Programs with arguments ------------------------------------------------------- */

#define ___bpf_usdt_value(n) \
	, ({ long ___got; bpf_usdt_arg(ctx, n - 1, &___got); ___got; })
#define ___bpf_usdt_args(args...) ctx ___bpf_per_arg(___bpf_usdt_value, ##args)

/* Up to twelve arguments, as integers or pointers; 0 for one that cannot be had. */
#define BPF_USDT(name, args...) \
	___bpf_program(name, struct pt_regs, , ____##name(___bpf_usdt_args(args)), ##args)

#endif
