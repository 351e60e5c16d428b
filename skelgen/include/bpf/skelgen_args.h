/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting macro arguments and choosing a macro by their number. The other
 * headers of this folder are written with these; a program includes those.
 *
 * Names and meaning are those that programs know from libbpf: some of them
 * build macros of their own on ___bpf_narg() and ___bpf_apply(). Each is
 * defined only where the program has not brought its own.
 */
#ifndef __SKELGEN_ARGS_H
#define __SKELGEN_ARGS_H

/* Join two tokens, the second one expanded first. */
#ifndef ___bpf_concat
#define ___bpf_concat(a, b) a##b
#endif
#ifndef ___bpf_apply
#define ___bpf_apply(fn, n) ___bpf_concat(fn, n)
#endif

/* The fourteenth argument. Twelve arguments pushed in front of a row of
 * thirteen answers leave the answer for "twelve" in that place.
 */
#ifndef ___bpf_nth
#define ___bpf_nth(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, hit, ...) hit
#endif

/* How many arguments: 0 to 12. */
#ifndef ___bpf_narg
#define ___bpf_narg(...) \
	___bpf_nth(0, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#endif

/* f(1) f(2) ... f(n) for n written as a number from 0 to 12. */
#define ___bpf_repeat0(f)
#define ___bpf_repeat1(f) f(1)
#define ___bpf_repeat2(f) ___bpf_repeat1(f) f(2)
#define ___bpf_repeat3(f) ___bpf_repeat2(f) f(3)
#define ___bpf_repeat4(f) ___bpf_repeat3(f) f(4)
#define ___bpf_repeat5(f) ___bpf_repeat4(f) f(5)
#define ___bpf_repeat6(f) ___bpf_repeat5(f) f(6)
#define ___bpf_repeat7(f) ___bpf_repeat6(f) f(7)
#define ___bpf_repeat8(f) ___bpf_repeat7(f) f(8)
#define ___bpf_repeat9(f) ___bpf_repeat8(f) f(9)
#define ___bpf_repeat10(f) ___bpf_repeat9(f) f(10)
#define ___bpf_repeat11(f) ___bpf_repeat10(f) f(11)
#define ___bpf_repeat12(f) ___bpf_repeat11(f) f(12)

/* f() as often as there are arguments. */
#define ___bpf_per_arg(f, args...) ___bpf_apply(___bpf_repeat, ___bpf_narg(args))(f)

#endif
