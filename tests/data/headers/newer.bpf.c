// What came after Debian's libbpf 1.1: tags, iterators, more arguments.
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

struct kept {
	struct leaf __kptr *owned;
	struct leaf __kptr_untrusted *seen;
	struct leaf __percpu_kptr *each;
	struct leaf __uptr *user;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__ulong(map_extra, 1ULL << 44);
	__type(key, int);
	__type(value, struct kept);
} tagged SEC(".maps");

extern int bpf_maybe(void) __ksym __weak;

volatile long out;
int table[100];

__noinline int arguments(void *ctx __arg_ctx, int *a __arg_nonnull, int *b __arg_nullable,
			 struct leaf *c __arg_trusted, char *d __arg_untrusted)
{
	return a && b && c && d && ctx;
}

__noinline int arena_argument(void *p __arg_arena)
{
	return p != NULL;
}

SEC("tc")
int loops(void *ctx)
{
	int i, sum = 0, *at;

	bpf_for(i, 0, 100) {
		if (table[i] == 7)
			continue;
		if (table[i] == 8)
			break;
		sum += table[i];
	}
	bpf_repeat(10) {
		sum++;
		if (unlikely(sum > 1000))
			return sum;
	}
	bpf_for_each(num, at, 3, 9)
		sum += *at;
	bpf_for(i, 0, 3) {
		int j;

		bpf_for(j, 0, i)
			sum += likely(j);
	}
	return sum;
}

SEC("tc")
int present(void *ctx)
{
	if (bpf_ksym_exists(bpf_maybe))
		return bpf_maybe();
	return bpf_core_cast(ctx, struct leaf)->a;
}

SEC("tp_btf/x")
int BPF_PROG(fields, struct node *n)
{
	BPF_CORE_WRITE_BITFIELD(n, narrow, 5);
	BPF_CORE_WRITE_BITFIELD(n, negative, -3);
	BPF_CORE_WRITE_BITFIELD(n, wide, out);
	out = BPF_CORE_READ(n, fixed);
	return BPF_CORE_READ(n, next, fixed);
}

SEC("uprobe")
int BPF_UPROBE(uprobe6, int a, int b, int c, int d, int e, int f)
{
	return a + b + c + d + e + f;
}

SEC("uretprobe")
int BPF_URETPROBE(uprobe_end, long ret)
{
	return ret;
}

SEC("ksyscall/x")
int BPF_KSYSCALL(six, int a, int b, int c, int d, int e, int f)
{
	return a + b + c + d + e + f;
}

SEC("tc")
int streams(void *ctx)
{
	bpf_stream_printk(1, "none");
	return bpf_stream_printk(2, "%d %d %d %d", 1, 2, 3, table[0]);
}

char _license[] SEC("license") = "GPL";
