// SPDX-License-Identifier: BSD-2-Clause
/* What benchmarks/data.py reads and writes: one of each, and a source of records. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define NULL ((void *)0)

struct event {
	__u32 pid;
	__u32 kind;
	__u64 nanoseconds;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024);
} events SEC(".maps");

__u64 total;
__u32 wanted = 100000;
const struct event *event_type;

static long add(__u32 i, void *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 1;
	event->pid = i;
	event->kind = 1;
	event->nanoseconds = i * 1000;
	__builtin_memcpy(event->comm, "benchmark", 10);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	total++;
	return 0;
}

SEC("socket")
int fill(void *ctx)
{
	bpf_loop(wanted, add, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
