// uprobes and uretprobes, with path, function and offset, and bare.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 hits;

SEC("uprobe//proc/self/exe:main")
int entry(void *ctx)
{
	hits++;
	return 0;
}

SEC("uprobe//proc/self/exe:main+0x4")
int with_offset(void *ctx)
{
	return 0;
}

SEC("uretprobe/libc.so.6:malloc")
int exit_probe(void *ctx)
{
	return 0;
}

SEC("uprobe")
int bare(void *ctx)
{
	return 0;
}

SEC("uprobe.s")
int sleepable(void *ctx)
{
	return 0;
}

SEC("usdt")
int bare_usdt(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
