// Formats with any number of values.
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char buffer[64];

SEC("raw_tp")
int values(struct node *n)
{
	long long v = (long)n;
	const char *s = "text";
	char c = v;
	bool b = v;

	bpf_printk("none");
	bpf_printk("%d", c);
	bpf_printk("%d %s", c, s);
	bpf_printk("%d %s %p", b, s, n);
	bpf_printk("%d %s %p %lld", b, s, n, v);
	bpf_printk("%d %d %d %d %d", 1, 2, 3, 4, 5);
	bpf_printk("%d %d %d %d %d %d", c, 2, 3, 4, 5, 6);
	bpf_printk("%d %d %d %d %d %d %d", 1, c, 3, 4, 5, 6, 7);
	bpf_printk("%d %d %d %d %d %d %d %d", 1, 2, c, 4, 5, 6, 7, 8);
	bpf_printk("%d %d %d %d %d %d %d %d %d", 1, 2, 3, c, 5, 6, 7, 8, 9);
	bpf_printk("%d %d %d %d %d %d %d %d %d %d", 1, 2, 3, 4, c, 6, 7, 8, 9, 10);
	bpf_printk("%d %d %d %d %d %d %d %d %d %d %d", 1, 2, 3, 4, 5, c, 7, 8, 9, 10, 11);
	bpf_printk("%d %d %d %d %d %d %d %d %d %d %d %d", 1, 2, 3, 4, 5, 6, 7, c, 9, 10,
		   11, (short)v);
	/* macros within macros */
	bpf_printk("%d", BPF_CORE_READ(n, next, leaf.a));
	bpf_printk("%d %d %d %d", BPF_CORE_READ(n, leaf.a), BPF_CORE_READ(n, next, plain),
		   BPF_CORE_READ(n, next, next, color), c);
	return bpf_printk("%d %d %d", ___bpf_narg(a, b), ({ int i = c; i; }), c);
}

SEC("iter/task")
int file(struct seq_file **ctx)
{
	struct seq_file *seq = *ctx;
	long n = (long)seq;

	BPF_SEQ_PRINTF(seq, "none\n");
	BPF_SEQ_PRINTF(seq, "%ld\n", n);
	BPF_SEQ_PRINTF(seq, "%ld %p %d\n", n, seq, (int)n);
	n += BPF_SNPRINTF(buffer, sizeof(buffer), "none");
	n += BPF_SNPRINTF(buffer, sizeof(buffer), "%s %d", buffer, (int)n);
	return BPF_SNPRINTF(buffer, 8, "%d %d %d %d", 1, (int)n, 3, 4);
}

char _license[] SEC("license") = "GPL";
