// Names that meet without harm: nested and outer types, a map and a program named as sections.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct item {
	int a;
};

typedef struct {
	long b;
} item_t;

struct outer {
	struct {
		int d;
	} item;
	union {
		int e;
	} outer;
};

struct item item = { 1 };
item_t other = { 2 };
struct outer outer = { { 4 }, { 5 } };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, struct item);
	__type(value, struct outer);
} data SEC(".maps");

SEC("socket")
int bss(void *ctx)
{
	struct outer value = outer;

	item.a += other.b;
	bpf_map_update_elem(&data, &item, &value, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
