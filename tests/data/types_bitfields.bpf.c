// Bit-fields: signed, unsigned, _Bool, enum, unnamed, zero-width, at the end, in 64 bits.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum colour { RED, GREEN, BLUE };

struct simple {
	unsigned int a : 3;
	unsigned int b : 5;
	unsigned int c : 24;
};

struct mixed {
	int whole;
	int s : 7;
	unsigned int : 3;
	unsigned int u : 6;
	enum colour colour : 2;
	unsigned int : 0;
	_Bool on : 1;
	__u8 small : 4;
	__u16 next;
};

struct wide {
	__u64 low : 40;
	__u64 high : 24;
	__s64 sign : 33;
};

struct last {
	__u64 word;
	__u32 tail : 9;
};

struct in_union {
	union {
		struct {
			__u16 lo : 4;
			__u16 hi : 12;
		};
		__u16 both;
	};
};

struct simple simple = { 5, 17, 0xabcdef };
struct mixed mixed = { -1, -3, 21, BLUE, 1, 9, 77 };
struct wide wide = { 1ull << 39, 3, -2 };
struct last last = { 1, 300 };
struct in_union in_union = { .both = 0x1234 };

SEC("socket")
int use(void *ctx)
{
	simple.a++;
	mixed.s--;
	wide.sign--;
	last.tail += in_union.hi;
	return mixed.u + wide.high;
}

char LICENSE[] SEC("license") = "GPL";
