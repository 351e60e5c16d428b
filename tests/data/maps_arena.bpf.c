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
struct item __arena items[3];
struct item __arena *__arena head;
char __arena label[16] = "from C";
int plain = 6;

// Chains the items, and counts in all of them.
SEC("syscall")
int touch(void *ctx)
{
	counter += plain;
	item.value = counter;
	items[0].value += 1;
	items[2].value += 3;
	items[0].next = &items[2];
	items[2].next = &item;
	head = &items[0];
	return counter;
}

char LICENSE[] SEC("license") = "GPL";
