// Kernel variables: typed (BTF), strong and weak and missing, and typeless (kallsyms), weak.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void jiffies __ksym __weak;
extern const void skelgen_no_such_symbol __ksym __weak;
extern const int bpf_prog_active __ksym;
extern const int skelgen_no_such_variable __ksym __weak;

__u64 jiffies_address;
int active = -1;
int missing = -1;

SEC("raw_tp/sys_enter")
int read(void *ctx)
{
	int *counter = (int *)bpf_per_cpu_ptr(&bpf_prog_active, 0);

	jiffies_address = (__u64)&jiffies;
	if (counter)
		active = *counter;
	missing = 0;
	if (&skelgen_no_such_variable)
		missing = 1;
	if (&skelgen_no_such_symbol)
		missing = 2;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
