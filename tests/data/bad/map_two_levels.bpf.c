// A map in a map in a map.
// error: map 'outermost.inner': maps in maps in maps
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct innermost {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
};

struct middle {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, int);
	__array(values, struct innermost);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, int);
	__array(values, struct middle);
} outermost SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
