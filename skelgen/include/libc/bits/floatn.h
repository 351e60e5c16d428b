/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In place of glibc's <bits/floatn.h>, which takes it from the version of clang that
 * there is a floating point type of 128 bits. BPF has no floating point at all.
 */
#define __HAVE_FLOAT128 0
#define __HAVE_DISTINCT_FLOAT128 0
#define __HAVE_FLOAT64X 0
#define __HAVE_FLOAT64X_LONG_DOUBLE 0
#include <bits/floatn-common.h>
