// Kernel functions that are in a module, weak: called where a constant says that it is loaded.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct nf_conn {
	unsigned long status;
} __attribute__((preserve_access_index));

struct bpf_ct_opts___local {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
} __attribute__((preserve_access_index));

/* of nf_conntrack, Linux 5.18 */
extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
					 __u32 size, struct bpf_ct_opts___local *opts,
					 __u32 opts_size) __weak __ksym;
extern void bpf_ct_release(struct nf_conn *connection) __weak __ksym;

const volatile _Bool present;
int error = 1;

SEC("tc")
int look(struct __sk_buff *skb)
{
	struct bpf_ct_opts___local opts = { .netns_id = -1, .l4proto = 6 };
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *found;

	if (!present)
		return TC_ACT_OK;
	found = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &opts, 12);
	if (found)
		bpf_ct_release(found);
	error = opts.error;
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "GPL";
