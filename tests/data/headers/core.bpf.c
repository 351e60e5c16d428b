// Every relocation, every reader, one to nine members.
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct node___old {
	int leaf_count;
} __attribute__((preserve_access_index));

struct plain { /* not the kernel's: without relocations */
	struct plain *next;
	int value;
	char text[8];
};

volatile long out;
char text[16];

#define NX next

SEC("raw_tp")
int chains(struct node *n)
{
	struct leaf leaf;
	int got = 0;

	out = BPF_CORE_READ(n, leaf.a);
	out = BPF_CORE_READ(n, NX, leaf.a);
	out = BPF_CORE_READ(n, NX, NX, plain);
	out = BPF_CORE_READ(n, NX, NX, NX, color);
	out = BPF_CORE_READ(n, NX, NX, NX, NX, leaf.numbers[2]);
	out = BPF_CORE_READ(n, NX, NX, NX, NX, NX, inner.other, a);
	out = BPF_CORE_READ(n, NX, NX, NX, NX, NX, NX, inner.other, a);
	out = BPF_CORE_READ(n, NX, NX, NX, NX, NX, NX, NX, leaf.a);
	out = BPF_CORE_READ(n, NX, NX, NX, NX, NX, NX, NX, NX, leaf.a);
	out = BPF_CORE_READ_INTO(&leaf, n, NX, leaf);
	out = BPF_CORE_READ_INTO(&got, n, leaf.a);
	out = BPF_CORE_READ_STR_INTO(&text, n, leaf.name);
	out = BPF_CORE_READ_STR_INTO(&text, n, NX, inner.other, name);
	out = BPF_CORE_READ_USER(n, plain);
	out = BPF_CORE_READ_USER(n, NX, NX, leaf.a);
	out = BPF_CORE_READ_USER_INTO(&got, n, NX, leaf.a);
	out = BPF_CORE_READ_USER_STR_INTO(&text, n, NX, leaf.name);
	out = (long)BPF_CORE_READ((struct node *)(long)got, inner.other);
	return leaf.a + got;
}

SEC("raw_tp")
int unrelocated(struct plain *p)
{
	int got = 0;

	out = BPF_PROBE_READ(p, value);
	out = BPF_PROBE_READ(p, next, next, value);
	out = BPF_PROBE_READ_INTO(&got, p, next, value);
	out = BPF_PROBE_READ_STR_INTO(&text, p, next, text);
	out = BPF_PROBE_READ_USER(p, next, value);
	out = BPF_PROBE_READ_USER_INTO(&got, p, value);
	return BPF_PROBE_READ_USER_STR_INTO(&text, p, next, text) + got;
}

SEC("raw_tp")
int single(struct node *n)
{
	int got = 0;

	bpf_core_read(&got, sizeof(got), &n->leaf.a);
	bpf_core_read_user(&got, sizeof(got), &n->color);
	bpf_core_read_str(text, sizeof(text), &n->leaf.name);
	bpf_core_read_user_str(text, sizeof(text), n->inner.other->name);
	return got;
}

SEC("raw_tp")
int questions(struct node *n)
{
	out = bpf_core_field_exists(n->leaf.name);
	out = bpf_core_field_exists(struct node, inner.other);
	out = bpf_core_field_exists(node_t, narrow);
	out = bpf_core_field_exists(((struct node___old *)n)->leaf_count);
	out = bpf_core_field_size(n->leaf);
	out = bpf_core_field_size(struct node, leaf.numbers);
	out = bpf_core_field_offset(n->color);
	out = bpf_core_field_offset(struct node, plain);
	out = bpf_core_type_exists(struct node___old);
	out = bpf_core_type_exists(node_t);
	out = bpf_core_type_size(struct leaf);
	out = bpf_core_type_size(enum color);
	out = bpf_core_type_id_local(struct plain);
	out = bpf_core_type_id_kernel(struct leaf);
	out = bpf_core_enum_value_exists(enum color, GREEN);
	out = bpf_core_enum_value(enum color, BLUE);
	return BPF_FIELD_RSHIFT_U64 + BPF_TYPE_ID_TARGET + BPF_TYPE_SIZE + BPF_ENUMVAL_VALUE;
}

SEC("tp_btf/x")
int bits(struct node **ctx)
{
	struct node *n = *ctx;

	out = BPF_CORE_READ_BITFIELD_PROBED(n, narrow);
	out = BPF_CORE_READ_BITFIELD_PROBED(n, negative);
	out = BPF_CORE_READ_BITFIELD_PROBED(n, wide);
	out = BPF_CORE_READ_BITFIELD_PROBED(n, plain);
	out = BPF_CORE_READ_BITFIELD(n, narrow);
	out = BPF_CORE_READ_BITFIELD(n, negative);
	out = BPF_CORE_READ_BITFIELD(n, wide);
	out = BPF_CORE_READ_BITFIELD(n, plain);
	return 0;
}

char _license[] SEC("license") = "GPL";
