// Instructions of every class: atomics, 32-bit jumps, byte swaps, 64-bit immediates.
// cflags: -mcpu=v3
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
__u64 word;
__u32 half;
__u64 swapped;

SEC("tc")
int all(struct __sk_buff *skb)
{
	__u64 old;

	__sync_fetch_and_add(&word, 1);
	old = __sync_fetch_and_or(&word, 0x10);
	old += __sync_fetch_and_and(&word, ~0x20ull);
	old += __sync_fetch_and_xor(&word, 0x40);
	old += __sync_val_compare_and_swap(&word, 1, 2);
	old += __sync_lock_test_and_set(&half, 3);
	swapped = bpf_cpu_to_be64(old) + bpf_htonl(half) + bpf_htons(skb->len);
	if (half > skb->len)
		word += 0x123456789abcdef0;
	else if (half < 5 && (int)half > -5)
		word /= 7;
	else
		word %= 11;
	half = -half;
	return half >> 3;
}

char LICENSE[] SEC("license") = "GPL";
