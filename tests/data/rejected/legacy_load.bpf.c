// An old packet load in a program of a type that has none.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int first(struct xdp_md *ctx)
{
	int byte;

	asm volatile("r6 = %1\n"
		     "r0 = *(u8 *)skb[0]\n"
		     "%0 = r0"
		     : "=r"(byte)
		     : "r"(ctx)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6");
	return byte;
}

char LICENSE[] SEC("license") = "GPL";
