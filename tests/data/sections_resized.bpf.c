// Data sections that end in an array, for user space to make longer before load.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct slot {
	__u64 hits;
	__u32 seen;
	__u32 pad;
};

typedef __u32 numbers_t[2];

const volatile __u32 count = 2;
int first SEC(".data.numbers") = 5;
numbers_t numbers SEC(".data.numbers") = { 10, 20 };
struct slot slots[1] SEC(".bss.slots");
char text[4] SEC(".data.text") = "abc";
int behind = 1;
int sum;

static __always_inline __u32 *number(__u32 i)
{
	__u32 *where = numbers;

	/* the compiler must not know where the array ends */
	asm volatile("" : "+r"(where));
	return where + i;
}

SEC("socket")
int add(void *ctx)
{
	__u32 i;

	sum = 0;
	for (i = 0; i < count && i < 1000; i++)
		sum += *number(i);
	slots[0].hits++;
	return sum + first + behind + text[0];
}

char LICENSE[] SEC("license") = "GPL";
