// CO-RE enumerator relocations: existence and value, 32 and 64 bits wide.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum pid_type {
	PIDTYPE_PID = 77,
	PIDTYPE_MAX = 78,
	PIDTYPE_NO_SUCH = 79,
};

enum pid_type___flavoured {
	PIDTYPE_TGID___local = 99,
};

enum no_such_enum { NO_SUCH_VALUE = 5 };

enum bpf_func_id___64 {
	BPF_FUNC_map_lookup_elem___wide = 1ull << 40,
};

int exists, not_exists, no_enum, value, value_flavoured;
long wide;

SEC("tp/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	exists = bpf_core_enum_value_exists(enum pid_type, PIDTYPE_MAX);
	not_exists = bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NO_SUCH);
	no_enum = bpf_core_enum_value_exists(enum no_such_enum, NO_SUCH_VALUE);
	value = bpf_core_enum_value(enum pid_type, PIDTYPE_PID);
	value_flavoured =
		bpf_core_enum_value(enum pid_type___flavoured, PIDTYPE_TGID___local);
	if (not_exists)
		value = bpf_core_enum_value(enum pid_type, PIDTYPE_NO_SUCH);
	wide = bpf_core_enum_value(enum bpf_func_id___64, BPF_FUNC_map_lookup_elem___wide);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
