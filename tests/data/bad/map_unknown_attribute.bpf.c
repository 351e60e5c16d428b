// A map attribute that there is none of.
// error: map 'painted': unknown attribute 'colour'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(colour, 3);
	__type(key, int);
	__type(value, int);
} painted SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
