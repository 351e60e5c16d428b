// Large: sixty-four programs, thirty-two maps and two hundred globals.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define EIGHT(macro, n) \
	macro(n##0) macro(n##1) macro(n##2) macro(n##3) macro(n##4) macro(n##5) \
	macro(n##6) macro(n##7)
#define SIXTY_FOUR(macro, n)                                              \
	EIGHT(macro, n##0) EIGHT(macro, n##1) EIGHT(macro, n##2)          \
	EIGHT(macro, n##3) EIGHT(macro, n##4) EIGHT(macro, n##5)          \
	EIGHT(macro, n##6) EIGHT(macro, n##7)

#define MAP(n)                                    \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, 1);           \
		__type(key, __u32);               \
		__type(value, __u64);             \
	} map_##n SEC(".maps");
EIGHT(MAP, 0)
EIGHT(MAP, 1)
EIGHT(MAP, 2)
EIGHT(MAP, 3)

#define STRUCT(n)            \
	struct record_##n {  \
		__u64 a_##n; \
		__u8 b_##n;  \
	} record_##n;
SIXTY_FOUR(STRUCT, )

#define GLOBAL(n) int data_##n = 1;
SIXTY_FOUR(GLOBAL, )
#define CONSTANT(n) const volatile int constant_##n = 1;
SIXTY_FOUR(CONSTANT, )

#define PROGRAM(n)                                                        \
	SEC("tc")                                                         \
	int program_##n(struct __sk_buff *skb)                            \
	{                                                                 \
		__u32 zero = 0;                                           \
		__u64 *value = bpf_map_lookup_elem(&map_00, &zero);       \
		if (value)                                                \
			*value += skb->len;                               \
		data_##n += constant_##n;                                 \
		record_##n.a_##n++;                                       \
		bpf_printk("program " #n ": %d", data_##n);               \
		return 0;                                                 \
	}
SIXTY_FOUR(PROGRAM, )

char LICENSE[] SEC("license") = "GPL";
