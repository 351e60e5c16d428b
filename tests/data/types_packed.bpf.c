// Packed and over-aligned structs, aligned members, and globals with gaps between them.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct __attribute__((packed)) packed {
	__u8 a;
	__u32 b;
	__u16 c;
	__u64 d;
};

struct __attribute__((packed, aligned(4))) packed_aligned {
	__u8 a;
	__u64 b;
};

struct __attribute__((aligned(64))) line {
	__u32 count;
};

struct inner_aligned {
	__u8 first;
	__u32 second __attribute__((aligned(16)));
	__u8 third;
};

struct packed_member {
	__u8 a;
	__u32 b __attribute__((packed));
	__u16 c;
};

struct holds_packed {
	__u8 head;
	struct packed p;
	struct packed array[2];
	__u64 tail;
};

struct __attribute__((packed)) packed_bits {
	__u8 a : 3;
	__u16 b : 11;
	__u8 c;
};

struct packed packed = { 1, 2, 3, 4 };
struct packed_aligned packed_aligned = { 5, 6 };
struct line cache_line = { 7 };
struct inner_aligned inner_aligned = { 8, 9, 10 };
struct packed_member packed_member = { 11, 12, 13 };
struct holds_packed holds_packed = { 14, { 15, 16, 17, 18 } };
struct packed_bits packed_bits = { 5, 1000, 19 };
char one = 1;
int aligned_int __attribute__((aligned(64))) = 20;
char two = 2;
__u64 after_gap = 21;

char bss_one;
long bss_aligned __attribute__((aligned(128)));
char bss_two;

SEC("socket")
int use(void *ctx)
{
	packed.b += packed_aligned.b + cache_line.count + inner_aligned.second;
	holds_packed.p.d += packed_member.b + packed_bits.c;
	bss_aligned += aligned_int + one + two + after_gap;
	bss_one++;
	bss_two++;
	return packed.b;
}

char LICENSE[] SEC("license") = "GPL";
