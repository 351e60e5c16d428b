// Objects that programs allocate, in a list and in a tree that a lock guards (Linux 6.6).
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

extern void *bpf_obj_new_impl(__u64 type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				   void *meta, __u64 offset) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool (*less)(struct bpf_rb_node *a, const struct bpf_rb_node *b),
			       void *meta, __u64 offset) __ksym;

#include <bpf/bpf_experimental.h>

struct item {
	struct bpf_list_node in_list;
	int number;
};

struct leaf {
	struct bpf_rb_node in_tree;
	int number;
};

private(items) struct bpf_spin_lock list_lock;
private(items) struct bpf_list_head list __contains(item, in_list);
private(leaves) struct bpf_spin_lock tree_lock;
private(leaves) struct bpf_rb_root tree __contains(leaf, in_tree);

int popped;

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	const struct leaf *left = (const struct leaf *)((char *)a - offsetof(struct leaf, in_tree));
	const struct leaf *right =
		(const struct leaf *)((const char *)b - offsetof(struct leaf, in_tree));

	return left->number < right->number;
}

SEC("tc")
int push_and_pop(struct __sk_buff *skb)
{
	struct item *item = bpf_obj_new(struct item);
	struct bpf_list_node *node;

	if (!item)
		return 1;
	item->number = 7;
	bpf_spin_lock(&list_lock);
	bpf_list_push_back(&list, &item->in_list);
	bpf_spin_unlock(&list_lock);
	bpf_spin_lock(&list_lock);
	node = bpf_list_pop_front(&list);
	bpf_spin_unlock(&list_lock);
	if (!node)
		return 2;
	item = (struct item *)((char *)node - offsetof(struct item, in_list));
	popped = item->number;
	bpf_obj_drop(item);
	return 0;
}

SEC("tc")
int plant(struct __sk_buff *skb)
{
	struct leaf *leaf = bpf_obj_new(struct leaf);

	if (!leaf)
		return 1;
	leaf->number = skb->len;
	bpf_spin_lock(&tree_lock);
	bpf_rbtree_add(&tree, &leaf->in_tree, less);
	bpf_spin_unlock(&tree_lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
