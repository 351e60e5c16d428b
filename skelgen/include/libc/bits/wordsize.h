/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc's <bits/wordsize.h> knows machines by their macros, and takes one that it
 * does not know for one of 32 bits; then uintptr_t is half a pointer. BPF has 64.
 */
#define __WORDSIZE 64
#define __WORDSIZE_TIME64_COMPAT32 0
#define __SYSCALL_WORDSIZE 64
