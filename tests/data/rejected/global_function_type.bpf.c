// A global function takes a pointer to a type without a size.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct unknown;

__noinline int use(struct unknown *what)
{
	return what != 0;
}

SEC("socket")
int start(struct __sk_buff *skb)
{
	return use((struct unknown *)skb);
}

char LICENSE[] SEC("license") = "GPL";
