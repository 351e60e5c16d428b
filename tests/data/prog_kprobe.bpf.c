// kprobes, kretprobes, ksyscalls and their multi form.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 hits;

SEC("kprobe/do_unlinkat")
int entry(void *ctx)
{
	hits++;
	return 0;
}

SEC("kprobe/do_unlinkat+0x4")
int with_offset(void *ctx)
{
	return 0;
}

SEC("kretprobe/do_unlinkat")
int exit_probe(void *ctx)
{
	return 0;
}

SEC("kprobe")
int bare(void *ctx)
{
	return 0;
}

SEC("kprobe.multi/bpf_fentry_test*")
int multi(void *ctx)
{
	return 0;
}

SEC("kretprobe.multi/bpf_fentry_test?")
int multi_exit(void *ctx)
{
	return 0;
}

SEC("ksyscall/nanosleep")
int on_nanosleep(void *ctx)
{
	return 0;
}

SEC("kretsyscall/nanosleep")
int on_nanosleep_exit(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
