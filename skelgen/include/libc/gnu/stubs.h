/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In place of glibc's list of functions that only fail. For a machine that it does
 * not know, that is the list of 32 bits, which most machines have not installed.
 */
