// Kernel configuration: bool, tristate, char, integers, a string; strong, weak and virtual.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool LINUX_HAS_BPF_COOKIE __kconfig __weak;
extern _Bool CONFIG_BPF_SYSCALL __kconfig;
extern enum libbpf_tristate CONFIG_BPF __kconfig __weak;
extern char CONFIG_NET __kconfig __weak;
extern int CONFIG_HZ __kconfig;
extern unsigned long CONFIG_PHYSICAL_START __kconfig __weak;
extern short CONFIG_NR_CPUS __kconfig __weak;
extern const char CONFIG_CC_VERSION_TEXT[16] __kconfig __weak;
extern int CONFIG_SKELGEN_HAS_NO_SUCH_OPTION __kconfig __weak;

int version;
int hz;
int missing = -1;

SEC("socket")
int read(void *ctx)
{
	version = LINUX_KERNEL_VERSION;
	hz = CONFIG_HZ;
	missing = CONFIG_SKELGEN_HAS_NO_SUCH_OPTION;
	return CONFIG_BPF_SYSCALL + CONFIG_BPF + CONFIG_NET + CONFIG_PHYSICAL_START +
	       CONFIG_NR_CPUS + CONFIG_CC_VERSION_TEXT[0] + LINUX_HAS_BPF_COOKIE;
}

char LICENSE[] SEC("license") = "GPL";
