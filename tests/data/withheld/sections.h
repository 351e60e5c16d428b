/* Programs that count how often they run, one a row of the table of SEC() names. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u32 this_process;

#define COUNT(section, name, result)                                                               \
	__u64 name##_hits;                                                                         \
	SEC(section) int on_##name(void *ctx)                                                           \
	{                                                                                          \
		name##_hits++;                                                                     \
		return result;                                                                     \
	}

/* In one process alone. */
#define COUNT_HERE(section, name, result)                                                          \
	__u64 name##_hits;                                                                         \
	SEC(section) int on_##name(void *ctx)                                                           \
	{                                                                                          \
		if (bpf_get_current_pid_tgid() >> 32 == this_process)                              \
			name##_hits++;                                                             \
		return result;                                                                     \
	}

char LICENSE[] SEC("license") = "GPL";
