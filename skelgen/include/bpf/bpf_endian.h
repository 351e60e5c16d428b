/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the byte order of the machine and that of the network (big-endian).
 *
 *	bpf_htons bpf_ntohs		16 bits
 *	bpf_htonl bpf_ntohl		32 bits
 *	bpf_cpu_to_be64 bpf_be64_to_cpu	64 bits
 *
 * All work on constants too: in initialisers and as case labels. The order is
 * that of the target being compiled for (bpfel or bpfeb), which the compiler
 * tells; __BYTE_ORDER of the C library tells that of the build machine.
 * Usable from user space as well.
 */
#ifndef __BPF_ENDIAN__
#define __BPF_ENDIAN__

/* Swap the bytes of a value of 16, 32 or 64 bits, whatever the target. */
#define ___bpf_swab16(x) ((__u16)__builtin_bswap16((__u16)(x)))
#define ___bpf_swab32(x) ((__u32)__builtin_bswap32((__u32)(x)))
#define ___bpf_swab64(x) ((__u64)__builtin_bswap64((__u64)(x)))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_be16(x) ___bpf_swab16(x)
#define ___bpf_be32(x) ___bpf_swab32(x)
#define ___bpf_be64(x) ___bpf_swab64(x)
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ___bpf_be16(x) (x)
#define ___bpf_be32(x) (x)
#define ___bpf_be64(x) (x)
#else
#error "__BYTE_ORDER__ is neither little- nor big-endian"
#endif

/* The unary plus gives 16-bit results the type int, as libbpf's have. */
#define bpf_htons(x) (+___bpf_be16(x))
#define bpf_ntohs(x) (+___bpf_be16(x))
#define bpf_htonl(x) ___bpf_be32(x)
#define bpf_ntohl(x) ___bpf_be32(x)
#define bpf_cpu_to_be64(x) ___bpf_be64(x)
#define bpf_be64_to_cpu(x) ___bpf_be64(x)

/* Programs written for older compilers ask for the constant form by name. */
#define __bpf_constant_htons(x) ___bpf_be16(x)
#define __bpf_constant_ntohs(x) ___bpf_be16(x)
#define __bpf_constant_htonl(x) ___bpf_be32(x)
#define __bpf_constant_ntohl(x) ___bpf_be32(x)
#define __bpf_constant_cpu_to_be64(x) ___bpf_be64(x)
#define __bpf_constant_be64_to_cpu(x) ___bpf_be64(x)
#define __bpf_htons(x) ___bpf_be16(x)
#define __bpf_ntohs(x) ___bpf_be16(x)
#define __bpf_htonl(x) ___bpf_be32(x)
#define __bpf_ntohl(x) ___bpf_be32(x)
#define __bpf_cpu_to_be64(x) ___bpf_be64(x)
#define __bpf_be64_to_cpu(x) ___bpf_be64(x)

#endif
