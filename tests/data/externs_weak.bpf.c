// A weak kernel function that no kernel has, called where its address is not 0.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int skelgen_no_such_kfunc(int a) __ksym __weak;

int found = -1;

SEC("syscall")
int look(void *ctx)
{
	found = 0;
	if (skelgen_no_such_kfunc)
		found = skelgen_no_such_kfunc(1);
	return found;
}

char LICENSE[] SEC("license") = "GPL";
