/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel's own tests keep beside libbpf's headers, under the names that
 * they made known: loops that the kernel bounds, arenas, objects that a program
 * allocates, lists and trees of them, work queues, exceptions. For programs of your
 * own; one that brings a bpf_experimental.h of its own does not need this.
 *
 * The kfuncs behind it are declared in "vmlinux.h" (bpftool 7.5, `skelgen btf dump`);
 * include that, "bpf_helpers.h" and "bpf_core_read.h" first.
 */
#ifndef __BPF_EXPERIMENTAL__
#define __BPF_EXPERIMENTAL__

#include "bpf_helpers.h"

/* ---- Loops without a bound -----------------------------------------------------
 *
 *	while (node && can_loop)	false when the kernel has seen enough (6.9)
 *		node = node->next;
 *	for (;;) {
 *		cond_break;		the same, as a statement
 *		...
 *	}
 *
 * Both come down to the instruction may_goto: go on, or jump when the loop has used
 * up its time. Compilers before clang 19 do not know it by name.
 */
#ifdef __BPF_FEATURE_MAY_GOTO
#define ___bpf_may_goto(label) asm volatile goto("may_goto %l0" : : : : label)
#else
/* opcode, no registers, 16 bits of distance in instructions, no immediate; the
 * assembler can do a distance of 32 bits only, half of which is the immediate's
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_distance "((%l0 - . - 6) / 8) & 0xffff"
#else
#define ___bpf_distance "(((%l0 - . - 6) / 8) & 0xffff) << 16"
#endif
#define ___bpf_may_goto(label)                                               \
	asm volatile goto(".byte 0xe5, 0; .long " ___bpf_distance "; .short 0" \
			  : : : : label)
#endif

#define can_loop                                                             \
	({                                                                   \
		__label__ ___enough;                                         \
		_Bool ___more = 0;                                           \
                                                                             \
		___bpf_may_goto(___enough);                                  \
		___more = 1;                                                 \
	___enough:;                                                          \
		___more;                                                     \
	})
#define cond_break ({ if (!can_loop) break; })
#define cond_break_label(label) ({ if (!can_loop) goto label; })

/* ---- Arenas -----------------------------------------------------------------------
 *
 * Memory shared with user space at the same addresses (6.9). Pointers into it have an
 * address space of their own, between which clang (19) converts by itself: cast_kern()
 * and cast_user() are for code that older compilers had to be told in.
 */
#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
#define __arena __attribute__((address_space(1)))
#define __arena_global __attribute__((address_space(1)))
#define cast_kern(ptr)
#define cast_user(ptr)
#define bpf_addr_space_cast(var, to, from) \
	asm volatile("%0 = addr_space_cast(%0, %1, %2)" : "+r"(var) : "i"(to), "i"(from))
#define arena_container_of(ptr, type, member)                                \
	({                                                                   \
		void __arena *___inner = (void __arena *)(ptr);              \
		((type *)(___inner - offsetof(type, member)));               \
	})
#endif

/* ---- Objects, lists, trees ----------------------------------------------------------
 *
 *	struct item { struct bpf_list_node node; int n; };
 *	private(items) struct bpf_spin_lock lock;
 *	private(items) struct bpf_list_head head __contains(item, node);
 *
 * A list or tree says what it holds, and lies in one section with its lock. An
 * object is of a type of the program (6.3); NULL if there is no memory.
 */
#define private(name) SEC(".bss." #name) __hidden __attribute__((aligned(8)))
#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))

#define bpf_obj_new(type) \
	((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), NULL))
#define bpf_obj_drop(object) bpf_obj_drop_impl(object, NULL)
#define bpf_percpu_obj_new(type) \
	((type __percpu_kptr *)bpf_percpu_obj_new_impl(bpf_core_type_id_local(type), NULL))
#define bpf_percpu_obj_drop(object) bpf_percpu_obj_drop_impl(object, NULL)
/* another owner for an object with a struct bpf_refcount */
#define bpf_refcount_acquire(object) bpf_refcount_acquire_impl(object, NULL)
#define bpf_list_push_front(head, node) bpf_list_push_front_impl(head, node, NULL, 0)
#define bpf_list_push_back(head, node) bpf_list_push_back_impl(head, node, NULL, 0)
/* less(a, b) says whether a comes before b */
#define bpf_rbtree_add(root, node, less) bpf_rbtree_add_impl(root, node, less, NULL, 0)

/* ---- Work queues, exceptions ---------------------------------------------------------- */

/* The function (map, key, value) that a struct bpf_wq runs, in a context that may
 * sleep (6.10). The kfunc has one argument more, for the verifier, before 7.0.
 */
#define bpf_wq_set_callback(wq, callback, flags)                             \
	({                                                                   \
		extern int bpf_wq_set_callback_impl(                         \
			struct bpf_wq *queue, int (*run)(void *, int *, void *), \
			unsigned int options, void *aux) __weak __ksym;      \
		extern int bpf_wq_set_callback(                              \
			struct bpf_wq *queue, int (*run)(void *, int *, void *), \
			unsigned int options) __weak __ksym;                 \
		bpf_ksym_exists(bpf_wq_set_callback_impl) ?                  \
			bpf_wq_set_callback_impl(wq, callback, flags, NULL) : \
			bpf_wq_set_callback(wq, callback, flags);            \
	})

/* End the program, all of its functions, if this does not hold; `result` is what it
 * returns (6.7)
 */
#define bpf_assert_with(condition, result) \
	({ if (!(condition)) bpf_throw(result); })
#define bpf_assert(condition) bpf_assert_with(condition, 0)

#endif
