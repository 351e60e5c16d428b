// An arena with globals in it (Linux 6.9, clang 19).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __arena __attribute__((address_space(1)))
#ifndef __ulong
#define __ulong(name, val) enum { ___bpf_concat(__unique_value, __COUNTER__) = val } name
#endif

struct {
	__uint(type, 33); /* BPF_MAP_TYPE_ARENA */
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__ulong(map_extra, 1ull << 44);
} arena SEC(".maps");

struct item {
	struct item __arena *next;
	__u64 value;
};

int __arena counter = 5;
struct item __arena item;
int plain = 6;

SEC("syscall")
int touch(void *ctx)
{
	bpf_map_lookup_elem(&arena, &plain);
	counter += plain;
	item.value = counter;
	return counter;
}

char LICENSE[] SEC("license") = "GPL";
