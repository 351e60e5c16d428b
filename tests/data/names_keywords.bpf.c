// C names that Python reserves, or that the skeleton's own methods and modules have.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct def {
	int from;
	int class;
	int self;
	int _fields_;
	int None;
	union {
		int lambda;
		int global;
	};
};

enum yield { True, False_, async, await = 7 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, struct def);
} import SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, enum yield);
} open SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} maps SEC(".maps");

int class = 1;
int def = 2;
int is;
int raise;
int match = 3;
int type = 4;
int print = 5;
int object;
int len;
int property;
int attach;
int load;
int __private = 6;
int __dunder__ = 7;
int _single = 8;
int rt = 9;
int ctypes = 10;
int _spec = 11;
int MixedCase = 12;
int A1_ = 13;
enum yield yield = await;
const volatile int pass = 14;

SEC("socket")
int del(void *ctx)
{
	struct def value = {};
	int key = class + def + match + type + print + rt + ctypes + pass + yield;

	is += key + _single + __private + __dunder__ + _spec + MixedCase + A1_ + raise;
	bpf_map_update_elem(&import, &key, &value, BPF_ANY);
	return bpf_map_lookup_elem(&open, &key) && bpf_map_lookup_elem(&maps, &key) &&
	       object && len && property && attach && load;
}

SEC("socket")
int finally(void *ctx)
{
	return 0;
}

SEC("socket")
int links(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
