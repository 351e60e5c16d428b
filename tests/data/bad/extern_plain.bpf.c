// An extern that is neither __kconfig nor __ksym.
// error: extern 'other': in no section; add __ksym or __kconfig
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int other;

SEC("socket")
int use(void *ctx)
{
	return other;
}

char LICENSE[] SEC("license") = "GPL";
