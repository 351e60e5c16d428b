// A pinning that there is none of.
// error: map 'pinned': pinning 7 is neither NONE nor BY_NAME
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, 7);
	__type(key, int);
	__type(value, int);
} pinned SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
