// An iterator is asked for its next element before it is made.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_iter_num;

extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;

SEC("socket")
int first(void *ctx)
{
	__u64 it = 0;
	int *number = bpf_iter_num_next((struct bpf_iter_num *)&it);

	return number ? *number : 0;
}

char LICENSE[] SEC("license") = "GPL";
