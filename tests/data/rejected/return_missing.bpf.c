// A program ends without a return value.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
__attribute__((naked)) int nothing(void)
{
	asm volatile("exit");
}

char LICENSE[] SEC("license") = "GPL";
