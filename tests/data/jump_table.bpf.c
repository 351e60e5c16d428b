// A switch through a jump table (clang 22, -mcpu=v4; Linux 6.19 loads it).
// cflags: -mcpu=v4
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int out;

SEC("tc")
int choose(struct __sk_buff *skb)
{
	switch (skb->mark) {
	case 0: out = 3; break;
	case 1: out = 31; break;
	case 2: out += 7; break;
	case 3: out ^= 12; break;
	case 4: out -= 2; break;
	case 5: out <<= 1; break;
	case 6: out = 77; break;
	case 7: out = skb->len; break;
	case 8: out |= 4; break;
	case 9: out &= 1; break;
	case 10: out += 30; break;
	case 11: out -= 33; break;
	case 12: out ^= 36; break;
	case 13: out |= 39; break;
	case 14: out = 42; break;
	case 15: out *= 45; break;
	case 16: out &= 48; break;
	case 17: out += 51; break;
	default: out = -1; break;
	}
	return out;
}

char LICENSE[] SEC("license") = "GPL";
