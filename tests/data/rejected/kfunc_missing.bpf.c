// A weak kernel function that no kernel has is called without a test.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int skelgen_no_such_kfunc(void) __ksym __weak;

SEC("syscall")
int call(void *ctx)
{
	return skelgen_no_such_kfunc();
}

char LICENSE[] SEC("license") = "GPL";
