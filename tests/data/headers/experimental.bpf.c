// Names of the kernel's own bpf_experimental.h.
#include "mini_vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_experimental.h>

/* as a vmlinux.h of Linux 6.12 declares them */
struct bpf_list_head {
	__u64 __opaque[2];
} __attribute__((aligned(8)));
struct bpf_list_node {
	__u64 __opaque[3];
} __attribute__((aligned(8)));
struct bpf_rb_root {
	__u64 __opaque[2];
} __attribute__((aligned(8)));
struct bpf_rb_node {
	__u64 __opaque[4];
} __attribute__((aligned(8)));
struct bpf_wq {
	__u64 __opaque[2];
} __attribute__((aligned(8)));

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __weak __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __weak __ksym;
extern void *bpf_refcount_acquire_impl(void *object, void *meta) __weak __ksym;
extern void *bpf_percpu_obj_new_impl(__u64 local_type_id, void *meta) __weak __ksym;
extern void bpf_percpu_obj_drop_impl(void *object, void *meta) __weak __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				    void *meta, __u64 off) __weak __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				   void *meta, __u64 off) __weak __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *),
			       void *meta, __u64 off) __weak __ksym;
extern void bpf_throw(__u64 cookie) __weak __ksym;

struct item {
	struct bpf_list_node list;
	struct bpf_rb_node tree;
	int n;
};

private(items) struct bpf_spin_lock lock;
private(items) struct bpf_list_head head __contains(item, list);
private(items) struct bpf_rb_root root __contains(item, tree);

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(max_entries, 1);
} arena SEC(".maps");

struct on_arena {
	int head, tail;
};
#ifdef __arena
struct on_arena __arena_global place;
#endif

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct item, tree)->n < container_of(b, struct item, tree)->n;
}

SEC("tc")
int objects(void *ctx)
{
	struct item *item = bpf_obj_new(struct item), *again;
	int *number = (int *)bpf_percpu_obj_new(int);

	if (!item)
		return 0;
	again = bpf_refcount_acquire(item);
	bpf_list_push_front(&head, &item->list);
	bpf_list_push_back(&head, &again->list);
	bpf_rbtree_add(&root, &item->tree, less);
	bpf_percpu_obj_drop(number);
	bpf_obj_drop(item);
	return 1;
}

static int run(void *map, int *key, void *value)
{
	return 0;
}

SEC("tc")
int work(struct bpf_wq *wq)
{
	bpf_assert(wq);
	bpf_assert_with(wq + 1, 2);
	return bpf_wq_set_callback(wq, run, 0);
}

SEC("tc")
int unbounded(int *p)
{
	int sum = 0;

	for (;;) {
		cond_break;
		sum += bpf_get_prandom_u32();
	}
	while (sum < 1000 && can_loop)
		sum += bpf_get_prandom_u32();
	for (;;) {
		cond_break_label(out);
		sum ^= bpf_get_prandom_u32();
	}
out:
	return sum;
}

#ifdef __arena
SEC("syscall")
int shared(void *ctx)
{
	struct on_arena __arena *it = &place;
	int __arena *tail = &it->tail;
	__u64 address = (__u64)ctx;

	cast_kern(it);
	cast_user(tail);
	bpf_addr_space_cast(address, 0, 1);
	return arena_container_of(tail, struct on_arena __arena, tail)->head + address +
	       (long)&arena;
}
#endif

char _license[] SEC("license") = "GPL";
