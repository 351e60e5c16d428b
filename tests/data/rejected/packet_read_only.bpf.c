// A packet is written that the program may only read.
// only: 6.18
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("lwt_in")
int change(struct __sk_buff *skb)
{
	__u32 *word = (void *)(long)skb->data;

	if ((void *)(word + 1) > (void *)(long)skb->data_end)
		return 0;
	*word = 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
