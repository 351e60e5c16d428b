// Compiled without debug information: no BTF, so sections without variables.
// cflags: -g0
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int counter = 5;
static volatile int zero;
const volatile int limit = 10;
int custom SEC(".data.custom") = 1;

static __noinline int add(int a, int b)
{
	return a + b + zero;
}

SEC("socket")
int count(void *ctx)
{
	zero++;
	counter = add(counter, limit) + custom;
	return counter;
}

char LICENSE[] SEC("license") = "GPL";
