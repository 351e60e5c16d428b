// As much of a vmlinux.h as the programs here use, the registers of x86.
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16; /* for Debian's headers */
typedef __u32 __be32;
typedef __u32 __wsum;
#if __STDC_VERSION__ < 202000L
typedef _Bool bool;
#endif

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_ARENA = 33,
};

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

struct bpf_iter_num {
	__u64 __opaque[1];
} __attribute__((aligned(8)));

struct seq_file;

struct bpf_spin_lock {
	__u32 val;
};

enum color { RED, GREEN = 7, BLUE = 0x7fffffff };

struct leaf {
	int a;
	char name[16];
	unsigned long numbers[4];
};

struct node {
	struct node *next;
	struct leaf leaf;
	struct {
		struct leaf *other;
	} inner;
	enum color color;
	unsigned int narrow : 3;
	int negative : 5;
	unsigned long long wide : 40;
	short plain;
	const int fixed;
};

typedef struct node node_t;

#pragma clang attribute pop

#endif
