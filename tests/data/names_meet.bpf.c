// Names that meet in one Python name, or that Python would mangle: of types, globals, members.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct names_meet {
	int a;
};

struct names_meet_maps {
	int b;
};

struct foo_bar {
	int c;
};

struct FooBar {
	long d;
};

typedef struct {
	int e;
} ev;

struct ev {
	int f;
	long g;
};

struct outer {
	struct {
		int h;
	} in;
	union {
		int from;
		int __from;
	};
	int from_;
	int __self;
	char __tail[8];
};

struct outer_in {
	long i;
};

enum __level { __LOW, HIGH, __HIGH = 5 };

struct names_meet first = { 1 };
struct names_meet_maps maps = { 2 };
struct foo_bar x = { 3 };
struct FooBar y = { 4 };
ev typed = { 5 };
struct ev tagged = { 6, 7 };
struct outer o = { { 8 }, { 9 }, 10, 11, "tail" };
struct outer_in oi = { 12 };
enum __level __level = __HIGH;
int def = 13, def_ = 14, __def = 15, c__def = 16;
const volatile int __pid;
__u64 __calls;
int dotted SEC(".data.a.b") = 17;
int underlined SEC(".data.a_b") = 18;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, struct outer_in);
	__type(value, struct foo_bar);
} __by_key SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct ev);
} class SEC(".maps");

SEC("tp/syscalls/sys_enter_getppid")
int __on_getppid(void *ctx)
{
	struct outer_in key = { 1 };

	if (bpf_get_current_pid_tgid() >> 32 != __pid)
		return 0;
	__sync_fetch_and_add(&__calls, first.a);
	return bpf_map_lookup_elem(&__by_key, &key) != 0;
}

SEC("socket")
int in(void *ctx)
{
	int key = maps.b + x.c + y.d + typed.e + tagged.f + o.in.h + oi.i + __level + def +
		  def_ + __def + c__def + dotted + underlined;

	return bpf_map_lookup_elem(&class, &key) != 0;
}

char LICENSE[] SEC("license") = "GPL";
