// A decoder of infrared remote controls (CONFIG_BPF_LIRC_MODE2).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("lirc_mode2")
int decode(unsigned int *sample)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
