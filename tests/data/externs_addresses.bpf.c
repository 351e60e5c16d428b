// Addresses of kernel symbols without types (kallsyms), strong: functions.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void do_exit __ksym;
extern const void bpf_map_new_fd __ksym;
extern const void schedule __ksym;

__u64 addresses[3];

SEC("raw_tp/sys_enter")
int read(void *ctx)
{
	addresses[0] = (__u64)&do_exit;
	addresses[1] = (__u64)&bpf_map_new_fd;
	addresses[2] = (__u64)&schedule;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
