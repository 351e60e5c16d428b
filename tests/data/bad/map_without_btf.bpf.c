// A map definition in an object without BTF.
// error: maps need BTF; compile with -g
// cflags: -g0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} map SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
