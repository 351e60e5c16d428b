// Subprograms: static, global, weak, shared by two programs, calling each other, unused.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int total;
const volatile int step = 3;

static __noinline int leaf(int a)
{
	return a * step;
}

static __noinline int middle(int a)
{
	return leaf(a) + leaf(a + 1);
}

__noinline int global_one(int a)
{
	total += a;
	return middle(a) + total;
}

__weak __noinline int weak_one(int a)
{
	return a - 1;
}

__hidden __noinline int hidden_one(int a)
{
	return a + total;
}

__noinline int unused_global(int a)
{
	return global_one(a) * 2;
}

SEC("socket")
int first(struct __sk_buff *skb)
{
	return global_one(skb->len) + weak_one(skb->len);
}

SEC("socket")
int second(struct __sk_buff *skb)
{
	return weak_one(skb->len) + hidden_one(1) + middle(skb->len);
}

SEC("tc")
int alone(struct __sk_buff *skb)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
