// Custom .bss sections: short and long names, one of static variables only.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int plain;
int in_x SEC(".bss.x");
__u64 array[3] SEC(".bss.counters");
struct {
	int a;
	char b;
} pair SEC(".bss.x");
int in_long SEC(".bss.a_very_long_section_name");
static volatile __u64 lonely[4] SEC(".bss.static");

SEC("socket")
int use(void *ctx)
{
	plain++;
	in_x += plain;
	array[1] += in_x;
	pair.b = array[1];
	in_long += pair.b;
	lonely[1] += in_long;
	return in_long;
}

char LICENSE[] SEC("license") = "GPL";
