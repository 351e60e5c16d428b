// Whether a type is as the program has it: clang 15.
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

SEC("raw_tp")
int matches(void *ctx)
{
	return bpf_core_type_matches(struct leaf) + 2 * bpf_core_type_matches(enum color);
}

char _license[] SEC("license") = "GPL";
