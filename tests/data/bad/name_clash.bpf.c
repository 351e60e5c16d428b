// Two globals that end as one Python name: a keyword and its escaped form.
// error: 'class'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int class = 1;
int class_ = 2;

SEC("socket")
int use(void *ctx)
{
	return class + class_;
}

char LICENSE[] SEC("license") = "GPL";
