// A __kconfig extern of a type that no configuration value has.
// error: extern 'CONFIG_HZ': this type is not supported in __kconfig
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern struct {
	int a, b;
} CONFIG_HZ __kconfig;

SEC("socket")
int use(void *ctx)
{
	return CONFIG_HZ.b;
}

char LICENSE[] SEC("license") = "GPL";
