// A key type and a key size that disagree.
// error: map 'torn': conflicting key_size: 4 and 8
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, int);
	__uint(key_size, 8);
	__type(value, int);
} torn SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
