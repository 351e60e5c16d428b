// fentry, fexit and fmod_ret, plain and sleepable.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

__u64 entered;
__u64 left;
int last;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(enter, int a)
{
	entered++;
	return 0;
}

SEC("fexit/bpf_fentry_test1")
int BPF_PROG(leave, int a, int result)
{
	left++;
	last = result;
	return 0;
}

SEC("fmod_ret/bpf_modify_return_test")
int BPF_PROG(modify, int a, int *b, int result)
{
	return 0;
}

SEC("fentry.s/__x64_sys_getpgid")
int BPF_PROG(enter_sleepable)
{
	return 0;
}

SEC("?fexit/vmlinux:bpf_fentry_test2")
int BPF_PROG(in_vmlinux)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
