// SEC() names with something to attach to that cannot be: they load all the same.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int next(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, int (void *));
} tails SEC(".maps") = { .values = { [0] = (void *)&next } };

SEC("tp/raw_syscalls/sys_enter")
int first(void *ctx)
{
	bpf_tail_call(ctx, &tails, 0);
	return 0;
}

/* Where a tail call leads; what stands after the slash is the author's note. */
SEC("tp/unused")
int next(void *ctx)
{
	return 0;
}

SEC("kretprobe/do_unlinkat+8")
int exit_probe(void *ctx)
{
	return 0;
}

SEC("usdt/libc:setjmp")
int usdt(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
