// A strong kernel function that no kernel has: loading fails and names it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int skelgen_no_such_kfunc(int a) __ksym;

SEC("syscall")
int call(void *ctx)
{
	return skelgen_no_such_kfunc(1);
}

char LICENSE[] SEC("license") = "GPL";
