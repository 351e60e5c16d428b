// A version section that is no 32-bit number.
// error: kernel version of 8 bytes, not 4
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 number SEC("version") = 1;

char LICENSE[] SEC("license") = "GPL";
