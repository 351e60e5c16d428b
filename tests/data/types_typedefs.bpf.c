// Chains of typedefs, anonymous types named by a typedef, and a typedef named like a struct.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef unsigned int uint_a;
typedef uint_a uint_b;
typedef const uint_b cuint_b;

typedef struct {
	int a;
	uint_b b;
} pair_t;

typedef union {
	pair_t pair;
	__u64 whole;
} either_t;

typedef struct node {
	struct node *next;
	pair_t pair;
} node;

typedef struct {
	struct {
		pair_t in;
	} sub[2];
	enum { MODE_A, MODE_B } mode;
} nested_t;

typedef pair_t pairs_t[3];
typedef pair_t alias_t;

uint_b counter = 3;
cuint_b constant = 4;
pair_t pair = { 1, 2 };
either_t either = { .whole = 0x100000002 };
node head = { 0, { 5, 6 } };
nested_t nested = { .sub = { { { 1, 2 } }, { { 3, 4 } } }, .mode = MODE_B };
pairs_t pairs = { { 1, 1 }, { 2, 2 } };
alias_t alias = { 9, 9 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, pair_t);
	__type(value, nested_t);
} by_pair SEC(".maps");

SEC("socket")
int use(void *ctx)
{
	counter += constant + pair.a + either.pair.b + head.pair.a + pairs[1].a + alias.a;
	bpf_map_update_elem(&by_pair, &pair, &nested, BPF_ANY);
	return counter;
}

char LICENSE[] SEC("license") = "GPL";
