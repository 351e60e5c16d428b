// A struct_ops variable of an anonymous type.
// error: struct_ops 'nameless': its type is no struct with a name
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC(".struct_ops")
struct {
	int (*f)(void);
} nameless = {};

char LICENSE[] SEC("license") = "GPL";
