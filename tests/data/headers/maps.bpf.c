// Maps, sections, externs, attributes, with the kernel's UAPI headers.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pair {
	int first, second;
};

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} one SEC(".maps"), two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { &one, &two },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, int);
	__type(value, struct pair);
} pinned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} jumps SEC(".maps");

extern struct inner elsewhere SEC(".maps");
extern int LINUX_KERNEL_VERSION __kconfig;
extern enum libbpf_tristate CONFIG_TCP_CONG_CUBIC __kconfig __weak;
extern const void bpf_prog_fops __ksym __weak;

enum { NONE = LIBBPF_PIN_NONE, NO = TRI_NO, YES = TRI_YES, MODULE = TRI_MODULE };

__noinline int part(struct pair *p)
{
	return container_of(&p->second, struct pair, second)->first;
}

__hidden __noinline long hidden(void *at, int n)
{
	barrier();
	return (long)at + n;
}

__weak int overridable(int n)
{
	barrier_var(n);
	return n + offsetof(struct pair, second);
}

static __always_inline int twice(int n)
{
	return n * 2;
}

SEC("tc")
int classify(struct __sk_buff *skb)
{
	struct pair p = { skb->len, skb->mark };
	__u32 key = twice(skb->ifindex);
	__u64 *value = bpf_map_lookup_elem(&one, &key);

	if (value == NULL)
		return overridable(key);
	if (LINUX_KERNEL_VERSION < KERNEL_VERSION(5, 10, 300))
		return part(&p);
	if (CONFIG_TCP_CONG_CUBIC == TRI_MODULE || &bpf_prog_fops)
		return hidden(value, skb->protocol);
	switch (skb->protocol & 1) {
	case 0:
		bpf_tail_call_static(skb, &jumps, 3);
		break;
	case 1:
		bpf_tail_call_static(skb, &jumps, 4);
		break;
	default:
		__bpf_unreachable();
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
__u32 _version SEC("version") = 1;
