// Hash and array maps, plain, LRU and per-CPU, with typed keys and values; one used.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct key {
	__u32 pid;
	char name[12];
};

struct value {
	__u64 count;
	__u32 last;
	__u8 state;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, struct key);
	__type(value, struct value);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct value);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u32);
} lru_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct value);
} percpu_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} percpu_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 32);
	__type(key, __u32);
	__type(value, __u8[3]);
} lru_percpu_hash SEC(".maps");

SEC("tp/syscalls/sys_enter_getppid")
int count(void *ctx)
{
	__u32 zero = 0, *cpu;
	struct key key = {};
	struct value value = { 1 }, *found;

	key.pid = bpf_get_current_pid_tgid() >> 32;
	found = bpf_map_lookup_elem(&hash, &key);
	if (found)
		__sync_fetch_and_add(&found->count, 1);
	else
		bpf_map_update_elem(&hash, &key, &value, BPF_NOEXIST);
	cpu = bpf_map_lookup_elem(&percpu_array, &zero);
	if (cpu)
		*cpu += 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
