// Two data sections that end as one Python name.
// error: data_one_two
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int a SEC(".data.one.two") = 1;
int b SEC(".data.one_two") = 2;

SEC("socket")
int use(void *ctx)
{
	return a + b;
}

char LICENSE[] SEC("license") = "GPL";
