// A global function uses its pointer without a test for NULL.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y;
};

__noinline int sum(struct point *at)
{
	return at->x + at->y;
}

SEC("socket")
int add(struct __sk_buff *skb)
{
	struct point at = {skb->len, 1};

	return sum(&at);
}

char LICENSE[] SEC("license") = "GPL";
