// A kernel function is given a pointer to another struct.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern struct cgroup *bpf_cgroup_acquire(struct cgroup *cgroup) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgroup) __ksym;

SEC("tp_btf/task_newtask")
int BPF_PROG(acquire, struct task_struct *task)
{
	struct cgroup *cgroup = bpf_cgroup_acquire((void *)task);

	if (cgroup)
		bpf_cgroup_release(cgroup);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
