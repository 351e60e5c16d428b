// An RCU read section is closed that is not open.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_rcu_read_unlock(void) __ksym;

SEC("syscall")
int read(void *ctx)
{
	bpf_rcu_read_unlock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
