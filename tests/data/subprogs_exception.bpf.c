// bpf_throw and an exception callback, appended last (Linux 6.7).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __attribute__((section(".ksyms")));

#define tag(text) __attribute__((btf_decl_tag(text)))

__noinline int handler(__u64 cookie)
{
	return cookie + 1;
}

__noinline static int checked(int a)
{
	if (a > 100)
		bpf_throw(a);
	return a;
}

SEC("tc")
tag("exception_callback:handler")
int guarded(struct __sk_buff *skb)
{
	return checked(skb->len);
}

char LICENSE[] SEC("license") = "GPL";
