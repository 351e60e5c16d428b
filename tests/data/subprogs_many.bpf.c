// A deep and wide call graph, so that the order of appended subprograms shows.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int x;

static __noinline int d1(int a) { return a + x; }
static __noinline int d2(int a) { return d1(a) ^ 5; }
static __noinline int c1(int a) { return d2(a) + d1(a); }
__noinline int b2(int a) { return a * 7; }
__noinline int b1(int a) { return c1(a) + b2(a); }
static __noinline int a3(int a) { return b2(a) - 1; }
static __noinline int a2(int a) { return a3(a) + b1(a); }
__noinline int a1(int a) { return a2(a) + d2(a); }

SEC("tc")
int from_top(struct __sk_buff *skb)
{
	return a1(skb->len);
}

SEC("xdp")
int from_middle(struct xdp_md *ctx)
{
	return b1(ctx->rx_queue_index) + a3(1);
}

SEC("socket")
int from_below(struct __sk_buff *skb)
{
	return d1(skb->len) + c1(2);
}

char LICENSE[] SEC("license") = "GPL";
