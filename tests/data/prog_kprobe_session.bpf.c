// kprobe sessions and uprobe multi links (Linux 6.6 and 6.10).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("kprobe.session/bpf_fentry_test*")
int session(void *ctx)
{
	return 0;
}

SEC("uprobe.multi//proc/self/exe:ma*")
int uprobes(void *ctx)
{
	return 0;
}

SEC("uretprobe.multi//proc/self/exe:main")
int uretprobes(void *ctx)
{
	return 0;
}

SEC("uprobe.multi.s//proc/self/exe:main")
int uprobes_sleepable(void *ctx)
{
	return 0;
}

SEC("uprobe.session")
int uprobe_session(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
