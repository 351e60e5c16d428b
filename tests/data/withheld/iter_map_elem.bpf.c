// A program whose target some kernels withhold from all, without a word.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("iter/bpf_map_elem") int prog(void *ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
