// A helper is given a pointer into the context, not its start.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int load(struct __sk_buff *skb)
{
	char byte;

	return bpf_skb_load_bytes((char *)skb + 8, 0, &byte, sizeof(byte));
}

char LICENSE[] SEC("license") = "GPL";
