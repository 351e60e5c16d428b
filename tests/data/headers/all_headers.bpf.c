// Nothing but the headers, each of them twice and in another order.
#include "mini_vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>
#include <bpf/usdt.bpf.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

/* A program may bring these, all of them known by libbpf's names, before or after. */
#ifndef ___bpf_narg
#error "___bpf_narg"
#endif
char counted[___bpf_narg(a, b, c)] SEC(".data");
char picked[sizeof(___bpf_apply(in, t))] SEC(".data");
char joined[sizeof(___bpf_concat(sho, rt))] SEC(".data");

char _license[] SEC("license") = "GPL";
