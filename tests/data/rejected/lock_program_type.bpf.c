// A spin lock in a program of a type that may not take one.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct account {
	struct bpf_spin_lock lock;
	__u64 total;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct account);
} accounts SEC(".maps");

SEC("socket")
int add(struct __sk_buff *skb)
{
	__u32 zero = skb->mark;
	struct account *account = bpf_map_lookup_elem(&accounts, &zero);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	account->total++;
	bpf_spin_unlock(&account->lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
