/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nearly every BPF program includes: sections, map definitions, compiler
 * attributes, the kernel's helper functions, printing, loops over open-coded
 * iterators. Names and meaning are libbpf's, so programs written for its
 * headers compile with these; the text is skelgen's own. For clang, 14 or newer.
 *
 * Include <linux/bpf.h> or "vmlinux.h" first: the types __u8 to __s64 and the
 * kernel's enumerations come from there. Nothing else is needed.
 */
#ifndef __BPF_HELPERS__
#define __BPF_HELPERS__

#include "bpf_helper_defs.h"
#include "skelgen_args.h"

/* ---- Maps -------------------------------------------------------------------
 *
 *	struct {
 *		__uint(type, BPF_MAP_TYPE_HASH);
 *		__uint(max_entries, 1024);
 *		__type(key, __u32);
 *		__type(value, struct entry);
 *	} entries SEC(".maps");
 *
 * Only the types of these members matter, the loader reads them from BTF: a
 * number is the length of an array, a type is what a pointer points to.
 * __ulong() holds a number of more than 32 bits (map_extra), __array() the inner
 * maps or programs of an outer map.
 */
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#define __ulong(name, val) enum { ___bpf_apply(___bpf_ulong_, __COUNTER__) = val } name

/* .pinning of a map */
enum libbpf_pin_type {
	LIBBPF_PIN_NONE = 0,
	LIBBPF_PIN_BY_NAME = 1, /* at <pin root>/<name of the map> */
};

/* ---- Sections and linkage ------------------------------------------------ */

/* Put a program, map or variable into an ELF section; the name says what the
 * loader makes of it. `used` keeps the compiler from dropping what nobody calls.
 * On an extern declaration it has no effect, and the warning about that is of
 * no use to anyone.
 */
#define SEC(name)                                                            \
	_Pragma("GCC diagnostic push")                                       \
	_Pragma("GCC diagnostic ignored \"-Wignored-attributes\"")           \
	__attribute__((section(name), used))                                 \
	_Pragma("GCC diagnostic pop")

/* extern variables that the loader fills: kernel configuration (CONFIG_*,
 * LINUX_KERNEL_VERSION, ...) and kernel symbols, typed or not
 */
#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))

/* value of a tristate CONFIG_ option */
enum libbpf_tristate {
	TRI_NO = 0,
	TRI_YES = 1,
	TRI_MODULE = 2,
};

/* <linux/stddef.h> has an __always_inline without `inline`'s meaning for us. */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif

/* A hidden function is not verified on its own, as a global one is, but with
 * what each of its callers knows: like a static one that other files may use.
 */
#define __hidden __attribute__((visibility("hidden")))

/* Is this __weak __ksym there? Makes sure at build time that it is __weak: of
 * one that is not, the compiler takes for granted that it is.
 */
#define bpf_ksym_exists(sym)                                                 \
	({                                                                   \
		_Static_assert(!__builtin_constant_p(!!(sym)),               \
			       #sym ": declare it __weak to ask for it");    \
		!!(sym);                                                     \
	})

/* ---- Tags for the verifier ----------------------------------------------- */

/* Pointers to kernel objects inside map values: owned by the map; owned and one
 * a CPU; merely looked at; a page of user memory (task storage).
 */
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __uptr __attribute__((btf_type_tag("uptr")))
/* the name of __kptr in kernels 5.19 to 6.2, when __kptr was the untrusted one */
#define __kptr_ref __attribute__((btf_type_tag("kptr_ref")))

/* Arguments of global functions: what the verifier may count on inside, and
 * holds each caller to.
 */
#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#define __arg_nonnull __attribute__((btf_decl_tag("arg:nonnull")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))
#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))
#define __arg_untrusted __attribute__((btf_decl_tag("arg:untrusted")))
#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))

/* ---- What a C library would have ------------------------------------------ */

#ifndef NULL
#define NULL ((void *)0)
#endif

#ifndef KERNEL_VERSION /* as LINUX_KERNEL_VERSION counts: a patch level ends at 255 */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#endif

#ifndef likely
#define likely(x) (__builtin_expect(!!(x), 1))
#endif
#ifndef unlikely
#define unlikely(x) (__builtin_expect(!!(x), 0))
#endif

/* Replaced even where <stddef.h> came first: the compiler folds its offsetof()
 * to a number, while an access through a pointer is one that CO-RE can move.
 */
#undef offsetof
#define offsetof(type, member) ((unsigned long)&((type *)0)->member)
#undef container_of
#define container_of(ptr, type, member)                                      \
	({                                                                   \
		void *___inner = (void *)(ptr);                              \
		((type *)(___inner - offsetof(type, member)));               \
	})

/* Memory as the compiler knows it ends here. */
#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif

/* What the compiler knows of this one variable ends here. It must then keep the
 * checks and conversions before it, which the verifier wants to see in the code.
 */
#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

/* For code that must have been optimised away, as in the `default` of a switch over
 * all there is. Where it has not been, clang before 21 stops the build; later ones
 * leave a call of __bpf_trap(), and the verifier decides if the program can get there.
 */
#ifndef __bpf_unreachable
#define __bpf_unreachable() __builtin_trap()
#endif

/* ---- Tail calls ----------------------------------------------------------- */

#ifdef __bpf__
/* bpf_tail_call() with a slot that is a constant. Map and slot are loaded right
 * at the call, so that no two paths meet there with different ones: then the JIT
 * makes it a direct jump.
 */
#if __has_attribute(error)
extern void ___bpf_slot_varies(void)
	__attribute__((error("the slot of bpf_tail_call_static() is not a constant")));
#else
#define ___bpf_slot_varies() __bpf_unreachable()
#endif
static __always_inline void bpf_tail_call_static(void *ctx, const void *map,
						 const __u32 slot)
{
	if (!__builtin_constant_p(slot))
		___bpf_slot_varies();
	asm volatile("r1 = %0\n\t"
		     "r2 = %1\n\t"
		     "r3 = %2\n\t"
		     "call %3"
		     :
		     : "r"(ctx), "r"(map), "i"(slot), "i"(12 /* BPF_FUNC_tail_call */)
		     : "r0", "r1", "r2", "r3", "r4", "r5");
}
#endif

/* ---- Printing ------------------------------------------------------------- */

/* ___bpf_fill(arr, a, b, c): arr[0] = a; arr[1] = b; arr[2] = c */
#define ___bpf_fill0(arr, none...)
#define ___bpf_fill1(arr, a) (arr)[0] = a;
#define ___bpf_fill2(arr, a, b) \
	___bpf_fill1(arr, a) (arr)[1] = b;
#define ___bpf_fill3(arr, a, b, c) \
	___bpf_fill2(arr, a, b) (arr)[2] = c;
#define ___bpf_fill4(arr, a, b, c, d) \
	___bpf_fill3(arr, a, b, c) (arr)[3] = d;
#define ___bpf_fill5(arr, a, b, c, d, e) \
	___bpf_fill4(arr, a, b, c, d) (arr)[4] = e;
#define ___bpf_fill6(arr, a, b, c, d, e, f) \
	___bpf_fill5(arr, a, b, c, d, e) (arr)[5] = f;
#define ___bpf_fill7(arr, a, b, c, d, e, f, g) \
	___bpf_fill6(arr, a, b, c, d, e, f) (arr)[6] = g;
#define ___bpf_fill8(arr, a, b, c, d, e, f, g, h) \
	___bpf_fill7(arr, a, b, c, d, e, f, g) (arr)[7] = h;
#define ___bpf_fill9(arr, a, b, c, d, e, f, g, h, i) \
	___bpf_fill8(arr, a, b, c, d, e, f, g, h) (arr)[8] = i;
#define ___bpf_fill10(arr, a, b, c, d, e, f, g, h, i, j) \
	___bpf_fill9(arr, a, b, c, d, e, f, g, h, i) (arr)[9] = j;
#define ___bpf_fill11(arr, a, b, c, d, e, f, g, h, i, j, k) \
	___bpf_fill10(arr, a, b, c, d, e, f, g, h, i, j) (arr)[10] = k;
#define ___bpf_fill12(arr, a, b, c, d, e, f, g, h, i, j, k, l) \
	___bpf_fill11(arr, a, b, c, d, e, f, g, h, i, j, k) (arr)[11] = l;
#define ___bpf_fill(arr, args...) \
	___bpf_apply(___bpf_fill, ___bpf_narg(args))(arr, args)

/* Put a format into a variable ___text and the values for it, pointers too, into
 * an array ___values of u64, then do `call` with them.
 */
#define ___bpf_format(call, text, args...)                                   \
	({                                                                   \
		static const char ___text[] = text;                          \
		unsigned long long ___values[___bpf_narg(args)];             \
                                                                             \
		_Pragma("GCC diagnostic push")                               \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")       \
		___bpf_fill(___values, args)                                 \
		_Pragma("GCC diagnostic pop")                                \
		call;                                                        \
	})

/* printf() into a seq_file, what an iterator program writes to: 0 or -errno */
#define BPF_SEQ_PRINTF(seq, fmt, args...)                                    \
	___bpf_format(bpf_seq_printf(seq, ___text, sizeof(___text),          \
				     ___values, sizeof(___values)),          \
		      fmt, ##args)

/* snprintf(): the length that the whole text needs, with its NUL, or -errno */
#define BPF_SNPRINTF(out, out_size, fmt, args...)                            \
	___bpf_format(bpf_snprintf(out, out_size, ___text,                   \
				   ___values, sizeof(___values)),            \
		      fmt, ##args)

/* printf() to /sys/kernel/tracing/trace_pipe, for debugging. Up to three values
 * any kernel takes; four to twelve need bpf_trace_vprintk() (5.16).
 */
#define bpf_printk(fmt, args...) ___bpf_pick_printk(args)(fmt, ##args)
#define ___bpf_pick_printk(...)                                              \
	___bpf_nth(0, ##__VA_ARGS__,                                         \
		   __bpf_vprintk, __bpf_vprintk, __bpf_vprintk,              \
		   __bpf_vprintk, __bpf_vprintk, __bpf_vprintk,              \
		   __bpf_vprintk, __bpf_vprintk, __bpf_vprintk,              \
		   __bpf_printk, __bpf_printk, __bpf_printk, __bpf_printk)

/* Kernels before 5.2 have no global data: with BPF_NO_GLOBAL_DATA defined the
 * format of bpf_printk() lives on the stack.
 */
#ifdef BPF_NO_GLOBAL_DATA
#define BPF_PRINTK_FMT_MOD
#else
#define BPF_PRINTK_FMT_MOD static const
#endif

#define __bpf_printk(fmt, args...)                                           \
	({                                                                   \
		BPF_PRINTK_FMT_MOD char ___text[] = fmt;                     \
		bpf_trace_printk(___text, sizeof(___text), ##args);          \
	})
#define __bpf_vprintk(fmt, args...)                                          \
	___bpf_format(bpf_trace_vprintk(___text, sizeof(___text),            \
					___values, sizeof(___values)),       \
		      fmt, ##args)

/* printf() to a stream of the program: 1 is its stdout, 2 its stderr (6.17).
 * `bpftool prog tracelog` and BPF_PROG_STREAM_READ_BY_FD read them. The kfunc
 * behind it has a last argument for the verifier in 6.18 and 6.19 and is called
 * bpf_stream_vprintk_impl there; from 7.0 it has neither.
 */
#define bpf_stream_printk(stream_id, fmt, args...)                           \
	({                                                                   \
		extern int bpf_stream_vprintk_impl(int id, const char *text, \
						   const void *values,       \
						   unsigned int size,        \
						   void *aux) __weak __ksym; \
		extern int bpf_stream_vprintk(int id, const char *text,      \
					      const void *values,            \
					      unsigned int size)             \
			__weak __ksym;                                       \
		___bpf_format(bpf_ksym_exists(bpf_stream_vprintk_impl) ?     \
			      bpf_stream_vprintk_impl(stream_id, ___text,    \
						      ___values,             \
						      sizeof(___values),     \
						      NULL) :                \
			      bpf_stream_vprintk(stream_id, ___text,         \
						 ___values,                  \
						 sizeof(___values)),         \
			      fmt, ##args);                                  \
	})

/* Prints where the program is to one of its streams: the process, and the functions
 * that were called, programs' and the kernel's. 0, or -ENOENT for no such stream (7.0;
 * ask bpf_ksym_exists() first where it may be missing).
 */
extern int bpf_stream_print_stack(int stream_id) __weak __ksym;

/* ---- Loops ----------------------------------------------------------------
 *
 * Open-coded iterators (6.4): for loops of any length that the verifier checks
 * once. break, continue and return work; the iterator is destroyed on every way
 * out.
 *
 *	int i;
 *	bpf_for(i, 0, n)		i = 0 ... n - 1, known to be in that range
 *		sum += table[i];
 *	bpf_repeat(100)			a hundred times, or until a break
 *		...
 *	struct task_struct *task;
 *	bpf_for_each(task, task, NULL, BPF_TASK_ITER_ALL_PROCS)
 *		...			any iterator: bpf_iter_<type>_new(), _next()
 *					and _destroy(), the last arguments for _new()
 */

/* <linux/bpf.h> has had struct bpf_iter_num since 6.4; this macro came in 6.3. */
#if defined(__LINUX_BPF_H__) && !defined(BPF_F_XDP_DEV_BOUND_ONLY)
struct bpf_iter_num {
	__u64 __opaque[1];
} __attribute__((aligned(8)));
#endif
struct bpf_iter_num;

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/* An iterator that lives as long as the loop. It is set up by the initialiser of
 * a pointer beside it, the one place in a for() for code that runs once. Without
 * the mention of its destructor there clang leaves that out of BTF.
 */
#define ___bpf_iterator(type, args...)                                       \
	struct bpf_iter_##type ___it                                         \
		__attribute__((aligned(8), cleanup(bpf_iter_##type##_destroy))), \
		*___begun __attribute__((unused)) =                          \
			(bpf_iter_##type##_new(&___it, ##args),              \
			 (void)bpf_iter_##type##_destroy, NULL)

#ifndef bpf_for_each
#define bpf_for_each(type, cur, args...)                                     \
	for (___bpf_iterator(type, ##args);                                  \
	     ((cur) = bpf_iter_##type##_next(&___it));)
#endif

#ifndef bpf_for
#define bpf_for(i, start, end)                                               \
	for (___bpf_iterator(num, (start), (end)); ({                        \
		     int *___at = bpf_iter_num_next(&___it);                 \
		     ___at && ((i) = *___at, (i) >= (start) && (i) < (end)); \
	     });)
#endif

#ifndef bpf_repeat
#define bpf_repeat(n)                                                        \
	for (___bpf_iterator(num, 0, (n)); bpf_iter_num_next(&___it);)
#endif

#endif
