// What the newest kernels let programs do: loops they bound, work queues (Linux 6.9 and 6.10).
// cflags: -mcpu=v4
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_experimental.h>

extern int bpf_wq_init(struct bpf_wq *queue, void *map, unsigned int flags) __weak __ksym;
extern int bpf_wq_start(struct bpf_wq *queue, unsigned int flags) __weak __ksym;
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

struct work {
	struct bpf_wq queue;
	int done;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct work);
} works SEC(".maps");

volatile int limit = 1000;
int rounds;

static int work(void *map, int *key, void *value)
{
	((struct work *)value)->done++;
	return 0;
}

SEC("syscall")
int loop(void *ctx)
{
	for (rounds = 0; rounds < limit && can_loop; rounds++)
		;
	return rounds;
}

SEC("tc")
int start(struct __sk_buff *skb)
{
	struct work *value;
	int zero = 0;

	value = bpf_map_lookup_elem(&works, &zero);
	if (!value || bpf_wq_init(&value->queue, &works, 0))
		return 1;
	if (bpf_wq_set_callback(&value->queue, work, 0))
		return 2;
	return bpf_wq_start(&value->queue, 0);
}

SEC("tc")
int undisturbed(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	rounds++;
	bpf_preempt_enable();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
