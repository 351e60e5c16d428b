// Globals that a program reads and writes, to be driven by BPF_PROG_TEST_RUN.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct totals {
	__u64 packets;
	__u64 bytes;
	__u32 by_size[4];
};

const volatile __u32 increment = 1;
__u64 counter = 100;
__s16 negative = -5;
struct totals totals;
char last_word[16] = "nothing";
int custom SEC(".data.custom") = 7;

SEC("tc")
int count(struct __sk_buff *skb)
{
	counter += increment;
	negative -= 1;
	custom *= 2;
	totals.packets++;
	totals.bytes += skb->len;
	totals.by_size[(skb->len >> 8) & 3]++;
	last_word[0] = 'N';
	return counter;
}

char LICENSE[] SEC("license") = "GPL";
