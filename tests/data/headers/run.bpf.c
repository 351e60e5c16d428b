// What the macros do: run by the kernel, the results in globals.
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_experimental.h>
#include <bpf/usdt.bpf.h>

struct iphdr {
	__u8 ihl : 4;
	__u8 version : 4;
	__u8 tos;
	__u16 tot_len;
} __attribute__((preserve_access_index));

struct iphdr packet = { .ihl = 5, .version = 4, .tos = 9 };
long sum, repeats, each, early, bounded, ihl, version, tos, printed, streamed;
__u32 network;
char text[64];

SEC("syscall")
int loops(void *ctx)
{
	int i, *at;

	bpf_for(i, 0, 100) {
		if (i % 2)
			continue;
		if (i > 50)
			break;
		sum += i;
	}
	bpf_repeat(7)
		repeats++;
	bpf_for_each(num, at, 10, 15)
		each += *at;
	bpf_repeat(5) {
		if (repeats == 7)
			return 3;
	}
	return 0;
}

SEC("syscall")
int enough(void *ctx)
{
	while (bounded < 1000 && can_loop)
		bounded++;
	for (;;) { /* until the time is up that all loops of a program share */
		cond_break;
		early++;
	}
	return 0;
}

SEC("syscall")
int bits(void *ctx)
{
	struct iphdr *p = &packet;

	ihl = BPF_CORE_READ_BITFIELD(p, ihl);
	version = BPF_CORE_READ_BITFIELD_PROBED(p, version);
	tos = BPF_CORE_READ_BITFIELD(p, tos);
	BPF_CORE_WRITE_BITFIELD(p, version, 6);
	BPF_CORE_WRITE_BITFIELD(p, ihl, -1);
	BPF_CORE_WRITE_BITFIELD(p, tot_len, 0x1234);
	return 0;
}

SEC("syscall")
int print(void *ctx)
{
	network = bpf_htonl(0x01020304);
	printed = BPF_SNPRINTF(text, sizeof(text), "%d %s %x %llu %c", -1, "two", 3,
			       1ULL << 40, 'e');
	bpf_printk("one %d", 1);
	bpf_printk("five %d %d %d %d %d", 1, 2, 3, 4, 5);
	return 0;
}

SEC("syscall")
int stream(void *ctx)
{
	streamed = bpf_stream_printk(1, "to stdout: %d", 42);
	return 0;
}

static __noinline int where(int stream)
{
	return bpf_stream_print_stack(stream);
}

SEC("syscall")
int stack(void *ctx)
{
	streamed = bpf_stream_printk(2, "a line\n");
	return where(2);
}

SEC("syscall")
int no_stream(void *ctx)
{
	return where(3);
}

/* A uprobe in the clothes of a USDT probe: its cookie is the number of its entry. */
long got[6];
int sizes[6], count;
long cookie;

SEC("uprobe")
int BPF_USDT(arguments, long a, int b, char c, short d, unsigned long e)
{
	got[0] = a;
	got[1] = b;
	got[2] = c;
	got[3] = d;
	got[4] = e;
	bpf_usdt_arg(ctx, 5, &got[5]);
	count = bpf_usdt_arg_cnt(ctx);
	cookie = bpf_usdt_cookie(ctx);
	sizes[0] = bpf_usdt_arg_size(ctx, 0);
	sizes[1] = bpf_usdt_arg_size(ctx, 1);
	sizes[2] = bpf_usdt_arg_size(ctx, 2);
	sizes[5] = bpf_usdt_arg_size(ctx, 5);
	return 0;
}

char _license[] SEC("license") = "GPL";
