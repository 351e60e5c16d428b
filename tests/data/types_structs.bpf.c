// Nested, anonymous, self-referring and empty structs and unions.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	int x;
	int y;
};

struct line {
	struct point from;
	struct point to;
	char name[5];
};

struct anonymous {
	int kind;
	union {
		__u32 v4;
		__u8 v6[16];
		struct {
			__u16 low;
			__u16 high;
		};
	};
	struct {
		__u64 first;
		__u8 second;
	} named;
	union {
		struct point p;
		__u64 raw;
	} both;
};

struct deep {
	struct {
		struct {
			union {
				struct {
					__u8 bottom;
				};
				__u32 other;
			};
		} c;
	} b;
	struct deep *next;
	struct never_defined *opaque;
};

union value {
	__u8 byte;
	__u64 word;
	double real;
	char text[24];
};

struct empty {};

struct holds_empty {
	struct empty nothing;
	int something;
};

struct tail {
	__u64 a;
	__u8 b;
};

struct point origin;
struct point start = { 1, -2 };
struct line line = { { 1, 2 }, { 3, 4 }, "line" };
struct anonymous anon = { .kind = 4, .v4 = 0x7f000001, .named = { 5, 6 } };
struct deep deep = { .b = { .c = { .bottom = 9 } } };
union value value = { .word = 0x1122334455667788 };
struct holds_empty holds = { .something = 2 };
struct tail tail = { 1, 2 };
struct {
	int a;
	struct {
		short b;
	} inner;
} unnamed = { 10, { 20 } };
const volatile struct anonymous config = { .kind = 6 };

SEC("socket")
int use(void *ctx)
{
	origin.x += start.x + line.to.y + anon.named.second + config.kind;
	origin.y += unnamed.inner.b + deep.b.c.bottom + value.byte + holds.something;
	tail.b++;
	return origin.x;
}

char LICENSE[] SEC("license") = "GPL";
