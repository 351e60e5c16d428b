// LSM hooks, plain, sleepable and per cgroup.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

__u64 opened;

SEC("lsm/file_mprotect")
int BPF_PROG(mprotect, void *vma, unsigned long reqprot, unsigned long prot, int ret)
{
	return ret;
}

SEC("lsm.s/bprm_committed_creds")
int BPF_PROG(exec, void *bprm)
{
	opened++;
	return 0;
}

SEC("lsm_cgroup/socket_bind")
int BPF_PROG(bind, void *sock, void *address, int length)
{
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
