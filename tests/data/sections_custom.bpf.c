// Custom data sections: .data.x, .rodata.x, .bss.x, long and dotted names.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int plain = 1;
int in_foo SEC(".data.foo") = 2;
long in_foo_too SEC(".data.foo") = 3;
int in_dotted SEC(".data.one.two") = 4;
int in_long SEC(".data.a_very_long_section_name_indeed") = 5;
const volatile int ro_plain = 6;
const volatile int ro_bar SEC(".rodata.bar") = 7;
const volatile char ro_text[8] SEC(".rodata.text") = "text";
int zero_plain;
struct {
	__u32 hits;
	__u64 bytes;
} stats SEC(".data.stats") = { 1, 2 };

SEC("socket")
int use(void *ctx)
{
	stats.hits += plain + in_foo + in_foo_too + in_dotted + in_long + zero_plain;
	stats.bytes += ro_plain + ro_bar + ro_text[0];
	return stats.hits;
}

char LICENSE[] SEC("license") = "GPL";
