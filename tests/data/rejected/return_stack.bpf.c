// A function returns the address of a variable on its stack.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __noinline void *scratch(int n)
{
	void *address;

	asm volatile("%0 = r10" : "=r"(address));
	return address;
}

SEC("socket")
int use(struct __sk_buff *skb)
{
	return *(int *)scratch(skb->len);
}

char LICENSE[] SEC("license") = "GPL";
