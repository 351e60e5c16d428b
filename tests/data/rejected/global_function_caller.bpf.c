// A global function is given less memory than its argument's type has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x, y, z, t;
};

__noinline int sum(struct point *at)
{
	return at ? at->x + at->t : 0;
}

SEC("socket")
int add(struct __sk_buff *skb)
{
	int short_one = skb->len;

	return sum((struct point *)(&short_one));
}

char LICENSE[] SEC("license") = "GPL";
