// An iterator is made and never destroyed.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_iter_num;

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;

SEC("socket")
int count(void *ctx)
{
	__u64 it;

	bpf_iter_num_new((struct bpf_iter_num *)&it, 0, 3);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
