// Functions that call each other nine deep.
// only: 5.10 6.1 6.12 6.18
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define LEVEL(n, below)                                                \
	static __noinline int level##n(struct __sk_buff *skb)           \
	{                                                              \
		return below(skb) + (int)bpf_get_prandom_u32();         \
	}

static __noinline int level0(struct __sk_buff *skb)
{
	return skb->len;
}

LEVEL(1, level0)
LEVEL(2, level1)
LEVEL(3, level2)
LEVEL(4, level3)
LEVEL(5, level4)
LEVEL(6, level5)
LEVEL(7, level6)
LEVEL(8, level7)

SEC("socket")
int top(struct __sk_buff *skb)
{
	return level8(skb);
}

char LICENSE[] SEC("license") = "GPL";
