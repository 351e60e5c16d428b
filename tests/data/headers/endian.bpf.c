// Byte order, of variables and of constants where C wants one.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

const __u16 port = bpf_htons(8080);
const __u32 address = bpf_htonl(0x7f000001);
const __u64 big = bpf_cpu_to_be64(0x0102030405060708ULL);
const __u64 older[] = {
	__bpf_constant_htons(1), __bpf_constant_ntohs(2), __bpf_constant_htonl(3),
	__bpf_constant_ntohl(4), __bpf_constant_cpu_to_be64(5),
	__bpf_constant_be64_to_cpu(6), ___bpf_swab16(7), ___bpf_swab32(8), ___bpf_swab64(9),
};
const __u32 sizes[] = { sizeof(bpf_htons(port)), sizeof(bpf_htonl(address)),
			sizeof(bpf_cpu_to_be64(big)) };

__noinline int kind(__u16 protocol)
{
	switch (protocol) {
	case bpf_htons(0x0800):
		return 4;
	case bpf_htons(0x86dd):
		return 6;
	}
	return 0;
}

SEC("tc")
int order(struct __sk_buff *skb)
{
	volatile __u64 out;
	__u64 wide = (__u64)skb->len << 32 | skb->mark;

	out = bpf_htons(skb->len);
	out = bpf_ntohs((__u16)skb->mark);
	out = bpf_htonl(skb->len);
	out = bpf_ntohl(skb->mark);
	out = bpf_cpu_to_be64(wide);
	out = bpf_be64_to_cpu(~wide);
	out = __bpf_htons(skb->hash);
	out = __bpf_ntohl(skb->hash);
	out = __bpf_cpu_to_be64(wide + 1);
	out = bpf_ntohs(0x1234) + bpf_ntohl(-1) + bpf_be64_to_cpu(out);
	return kind(skb->protocol) + (int)out;
}

char _license[] SEC("license") = "GPL";
