// A helper that some kernels withhold from all programs.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("uprobe") int poke(void *ctx)
{
	char c = 1;
	return bpf_probe_write_user((void *)0x1000, &c, 1);
}
char LICENSE[] SEC("license") = "GPL";
