// The map definitions of before libbpf 1.0.
// error: declare maps in SEC(".maps")
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	unsigned int type, key_size, value_size, max_entries;
} old SEC("maps") = { BPF_MAP_TYPE_ARRAY, 4, 4, 1 };

char LICENSE[] SEC("license") = "GPL";
