// Global functions with tagged arguments: arg:ctx and arg:nonnull (Linux 6.8).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define tag(text) __attribute__((btf_decl_tag(text)))

struct sums {
	__u64 a;
};

__u64 last;

__noinline int with_context(void *ctx tag("arg:ctx"))
{
	return ctx != 0;
}

__noinline int not_null(struct sums *sums tag("arg:nonnull"))
{
	return sums->a;
}

SEC("tp/syscalls/sys_enter_getppid")
int entry(void *ctx)
{
	struct sums sums = { 4 };

	last = with_context(ctx) + not_null(&sums);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
