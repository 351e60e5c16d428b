/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compile once, run everywhere: reading kernel structures through relocations.
 *
 * The compiler notes beside each access which member of which type it meant; the
 * loader finds that member in the running kernel's BTF and corrects offset and
 * size. Types from "vmlinux.h" are all relocatable. A program's own cut-down
 * version of a kernel type is too, when read with these macros, and its name may
 * end in ___anything to tell it from another one (struct task_struct___old).
 */
#ifndef __BPF_CORE_READ_H__
#define __BPF_CORE_READ_H__

#include "bpf_helpers.h"
#include "skelgen_args.h"

/* What to ask of a member: __builtin_preserve_field_info(member, ...) */
enum bpf_field_info_kind {
	BPF_FIELD_BYTE_OFFSET = 0,
	BPF_FIELD_BYTE_SIZE = 1,
	BPF_FIELD_EXISTS = 2,
	BPF_FIELD_SIGNED = 3,
	BPF_FIELD_LSHIFT_U64 = 4, /* moves the top bit of the member to bit 63 */
	BPF_FIELD_RSHIFT_U64 = 5, /* and then its lowest one to bit 0 */
};

/* Whose type id: __builtin_btf_type_id(type, ...) */
enum bpf_type_id_kind {
	BPF_TYPE_ID_LOCAL = 0,
	BPF_TYPE_ID_TARGET = 1,
};

/* What to ask of a type: __builtin_preserve_type_info(type, ...) */
enum bpf_type_info_kind {
	BPF_TYPE_EXISTS = 0,
	BPF_TYPE_SIZE = 1,
	BPF_TYPE_MATCHES = 2,
};

/* What to ask of an enumerator: __builtin_preserve_enum_value(enumerator, ...) */
enum bpf_enum_value_kind {
	BPF_ENUMVAL_EXISTS = 0,
	BPF_ENUMVAL_VALUE = 1,
};

/* ---- Asking about types, members and enumerators --------------------------
 *
 *	if (bpf_core_field_exists(task->mm))		with a variable
 *	if (bpf_core_field_exists(struct task_struct, mm))	without one
 *
 * All of these are numbers in the program that the loader puts in, so a branch
 * not taken may use what this kernel lacks. Of a thing that is not there, size,
 * id and value are 0.
 */
#define ___bpf_some(type) (*(typeof(type) *)0) /* to ask about, never to look at */
#define ___bpf_member1(member) (member)
#define ___bpf_member2(type, member) (___bpf_some(type).member)
#define ___bpf_ask_member(question, member...)                               \
	__builtin_preserve_field_info(                                       \
		___bpf_apply(___bpf_member, ___bpf_narg(member))(member), question)
#define ___bpf_ask_type(question, type) \
	__builtin_preserve_type_info(___bpf_some(type), question)
#define ___bpf_ask_enumerator(question, type, enumerator) \
	__builtin_preserve_enum_value(*(typeof(type) *)enumerator, question)

#define bpf_core_field_exists(field...) ___bpf_ask_member(BPF_FIELD_EXISTS, field)
/* both in bytes, the offset from the start of the type */
#define bpf_core_field_size(field...) ___bpf_ask_member(BPF_FIELD_BYTE_SIZE, field)
#define bpf_core_field_offset(field...) ___bpf_ask_member(BPF_FIELD_BYTE_OFFSET, field)

#define bpf_core_type_exists(type) ___bpf_ask_type(BPF_TYPE_EXISTS, type)
#define bpf_core_type_size(type) ___bpf_ask_type(BPF_TYPE_SIZE, type) /* bytes */
/* members and their types as in the program, not just the name: clang 15, and a
 * loader that knows the question (libbpf 1.0)
 */
#define bpf_core_type_matches(type) ___bpf_ask_type(BPF_TYPE_MATCHES, type)

/* in the program's own BTF, and in the kernel's or a module's */
#define bpf_core_type_id_local(type) \
	__builtin_btf_type_id(___bpf_some(type), BPF_TYPE_ID_LOCAL)
#define bpf_core_type_id_kernel(type) \
	__builtin_btf_type_id(___bpf_some(type), BPF_TYPE_ID_TARGET)

#define bpf_core_enum_value_exists(enum_type, enumerator) \
	___bpf_ask_enumerator(BPF_ENUMVAL_EXISTS, enum_type, enumerator)
#define bpf_core_enum_value(enum_type, enumerator) /* 64 bits */ \
	___bpf_ask_enumerator(BPF_ENUMVAL_VALUE, enum_type, enumerator)

/* ---- Reading one thing -----------------------------------------------------
 *
 * Like the bpf_probe_read_*() helpers of that name, the address relocated:
 *
 *	bpf_core_read(&pid, sizeof(pid), &task->pid);
 */
#define ___bpf_relocated(src) ((const void *)__builtin_preserve_access_index(src))

#define bpf_core_read(dst, sz, src) \
	bpf_probe_read_kernel(dst, sz, ___bpf_relocated(src))
#define bpf_core_read_str(dst, sz, src) \
	bpf_probe_read_kernel_str(dst, sz, ___bpf_relocated(src))
#define bpf_core_read_user(dst, sz, src) \
	bpf_probe_read_user(dst, sz, ___bpf_relocated(src))
#define bpf_core_read_user_str(dst, sz, src) \
	bpf_probe_read_user_str(dst, sz, ___bpf_relocated(src))

/* Take a pointer for one to a kernel type, so that its members can be read with
 * plain C, without a helper call (6.3). The verifier lets nothing be written.
 */
extern void *bpf_rdonly_cast(const void *obj, unsigned int btf_id)
	__attribute__((section(".ksyms"), weak));
#define bpf_core_cast(ptr, type) \
	((typeof(type) *)bpf_rdonly_cast((ptr), bpf_core_type_id_kernel(type)))

/* ---- Following pointers ------------------------------------------------------
 *
 *	pid_t ppid = BPF_CORE_READ(task, real_parent, tgid);
 *
 * is task->real_parent->tgid, each arrow a read of its own: a comma stands where
 * a pointer is followed, a dot stays a dot (BPF_CORE_READ(task, mm, exe_file,
 * f_path.dentry)). Up to nine members after the first pointer.
 *
 *	BPF_CORE_READ(src, ...)			the value; 0 or rubbish if a read fails
 *	BPF_CORE_READ_INTO(&dst, src, ...)	0 or -errno of the last read
 *	BPF_CORE_READ_STR_INTO(&dst, src, ...)	the last one a string: its length
 *
 * _USER_ reads kernel types that lie in user memory (arguments of a syscall, say).
 * BPF_PROBE_ in place of BPF_CORE_ leaves out the relocations: for types that the
 * kernel's BTF does not have.
 */

/* The same tools as in skelgen_args.h once more: a macro that is being expanded
 * cannot be used inside itself, and these reads stand in the arguments of
 * bpf_printk() and the like.
 */
#define ___concat(a, b) a##b
#define ___apply(fn, n) ___concat(fn, n)
#define ___nth(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, hit, ...) hit
#define ___narg(...) ___nth(0, ##__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/* ___arrow(a, b, c): a->b->c */
#define ___arrow1(a) a
#define ___arrow2(a, f) a->f
#define ___arrow3(a, f, more...) ___arrow2(a->f, more)
#define ___arrow4(a, f, more...) ___arrow3(a->f, more)
#define ___arrow5(a, f, more...) ___arrow4(a->f, more)
#define ___arrow6(a, f, more...) ___arrow5(a->f, more)
#define ___arrow7(a, f, more...) ___arrow6(a->f, more)
#define ___arrow8(a, f, more...) ___arrow7(a->f, more)
#define ___arrow9(a, f, more...) ___arrow8(a->f, more)
#define ___arrow10(a, f, more...) ___arrow9(a->f, more)
#define ___arrow(...) ___apply(___arrow, ___narg(__VA_ARGS__))(__VA_ARGS__)

/* The type of an expression, without const where the compiler can take it off: a
 * constant member is read into a variable.
 */
#if __clang_major__ >= 19
#define ___unqualified(x) __typeof_unqual__(x)
#else
#define ___unqualified(x) typeof(x)
#endif
#define ___type(...) ___unqualified(___arrow(__VA_ARGS__))

/* Walk from the pointer in `at` to the last of the members. `path` spells how C
 * would write the way so far: never run, it has the type that `at` points with.
 * Each hop but the last puts the next pointer into the variable ___hop.
 */
#define ___member(path, at, f) (&((___unqualified(path))(at))->f)
#define ___step(hop, path, at, f) \
	hop((void *)&___hop, sizeof(___hop), ___member(path, at, f));
#define ___walk1(last, hop, dst, path, at, f) \
	last((void *)(dst), sizeof(*(dst)), ___member(path, at, f));
#define ___walk2(last, hop, dst, path, at, f, more...) \
	___step(hop, path, at, f) ___walk1(last, hop, dst, path->f, ___hop, more)
#define ___walk3(last, hop, dst, path, at, f, more...) \
	___step(hop, path, at, f) ___walk2(last, hop, dst, path->f, ___hop, more)
#define ___walk4(last, hop, dst, path, at, f, more...) \
	___step(hop, path, at, f) ___walk3(last, hop, dst, path->f, ___hop, more)
#define ___walk5(last, hop, dst, path, at, f, more...) \
	___step(hop, path, at, f) ___walk4(last, hop, dst, path->f, ___hop, more)
#define ___walk6(last, hop, dst, path, at, f, more...) \
	___step(hop, path, at, f) ___walk5(last, hop, dst, path->f, ___hop, more)
#define ___walk7(last, hop, dst, path, at, f, more...) \
	___step(hop, path, at, f) ___walk6(last, hop, dst, path->f, ___hop, more)
#define ___walk8(last, hop, dst, path, at, f, more...) \
	___step(hop, path, at, f) ___walk7(last, hop, dst, path->f, ___hop, more)
#define ___walk9(last, hop, dst, path, at, f, more...) \
	___step(hop, path, at, f) ___walk8(last, hop, dst, path->f, ___hop, more)

/* Read the last member with `last`, the pointers on the way with `hop`; both are
 * called like bpf_core_read(). Programs with a reader of their own use this too.
 */
#define ___core_read(last, hop, dst, src, members...)                        \
	const void *___hop __attribute__((unused));                          \
	___apply(___walk, ___narg(members))(last, hop, dst, src, src, members)

/* A read of its last member, as an expression of that type. */
#define ___core_value(into, src, members...)                                 \
	({                                                                   \
		___type(src, members) ___value;                              \
		into(&___value, src, members);                               \
		___value;                                                    \
	})

#define BPF_CORE_READ_INTO(dst, src, members...) \
	({ ___core_read(bpf_core_read, bpf_core_read, dst, (src), members) })
#define BPF_CORE_READ_STR_INTO(dst, src, members...) \
	({ ___core_read(bpf_core_read_str, bpf_core_read, dst, (src), members) })
#define BPF_CORE_READ(src, members...) \
	___core_value(BPF_CORE_READ_INTO, (src), members)

#define BPF_CORE_READ_USER_INTO(dst, src, members...) \
	({ ___core_read(bpf_core_read_user, bpf_core_read_user, dst, (src), members) })
#define BPF_CORE_READ_USER_STR_INTO(dst, src, members...) \
	({ ___core_read(bpf_core_read_user_str, bpf_core_read_user, dst, (src), members) })
#define BPF_CORE_READ_USER(src, members...) \
	___core_value(BPF_CORE_READ_USER_INTO, (src), members)

/* Without relocations. bpf_probe_read() reads kernel and user memory alike, on
 * any kernel; where the two share one address range (s390) there is no such helper.
 */
#ifdef __TARGET_ARCH_s390
#define ___bpf_probe_read bpf_probe_read_kernel
#define ___bpf_probe_read_str bpf_probe_read_kernel_str
#else
#define ___bpf_probe_read bpf_probe_read
#define ___bpf_probe_read_str bpf_probe_read_str
#endif
#define BPF_PROBE_READ_INTO(dst, src, members...) \
	({ ___core_read(___bpf_probe_read, ___bpf_probe_read, dst, (src), members) })
#define BPF_PROBE_READ_STR_INTO(dst, src, members...) \
	({ ___core_read(___bpf_probe_read_str, ___bpf_probe_read, dst, (src), members) })
#define BPF_PROBE_READ(src, members...) \
	___core_value(BPF_PROBE_READ_INTO, (src), members)

#define BPF_PROBE_READ_USER_INTO(dst, src, members...) \
	({ ___core_read(bpf_probe_read_user, bpf_probe_read_user, dst, (src), members) })
#define BPF_PROBE_READ_USER_STR_INTO(dst, src, members...) \
	({ ___core_read(bpf_probe_read_user_str, bpf_probe_read_user, dst, (src), members) })
#define BPF_PROBE_READ_USER(src, members...) \
	___core_value(BPF_PROBE_READ_USER_INTO, (src), members)

/* ---- Bit-fields -------------------------------------------------------------
 *
 * Position, width and sign are the running kernel's. The value is an unsigned
 * 64-bit one, sign-extended if the field is signed; it need not be a bit-field.
 */
#define __CORE_RELO(src, field, info) \
	__builtin_preserve_field_info((src)->field, BPF_FIELD_##info)

/* Cut the field out of the 1, 2, 4 or 8 bytes around it. */
#define ___bpf_cut_out(bits, s, field)                                       \
	({                                                                   \
		bits <<= __CORE_RELO(s, field, LSHIFT_U64);                  \
		if (__CORE_RELO(s, field, SIGNED))                           \
			bits = (long long)bits >> __CORE_RELO(s, field, RSHIFT_U64); \
		else                                                         \
			bits >>= __CORE_RELO(s, field, RSHIFT_U64);          \
		bits;                                                        \
	})

/* where in a u64 `size` bytes are its low ones */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_low_bytes(u64, size) ((void *)(u64))
#else
#define ___bpf_low_bytes(u64, size) ((void *)(u64) + (8 - (size)))
#endif

/* Through bpf_probe_read_kernel(): from any program, any pointer; 0 if it fails. */
#define BPF_CORE_READ_BITFIELD_PROBED(s, field)                              \
	({                                                                   \
		unsigned long long ___bits = 0;                              \
                                                                             \
		bpf_probe_read_kernel(                                       \
			___bpf_low_bytes(&___bits, __CORE_RELO(s, field, BYTE_SIZE)), \
			__CORE_RELO(s, field, BYTE_SIZE),                    \
			(const void *)(s) + __CORE_RELO(s, field, BYTE_OFFSET)); \
		___bpf_cut_out(___bits, s, field);                           \
	})

/* With plain loads: from programs and pointers that may (tp_btf, fentry, ...). The
 * barrier has the compiler relocate the address once, not in each of the loads.
 */
#define BPF_CORE_READ_BITFIELD(s, field)                                     \
	({                                                                   \
		const void *___from =                                        \
			(const void *)(s) + __CORE_RELO(s, field, BYTE_OFFSET); \
		unsigned long long ___bits;                                  \
                                                                             \
		asm volatile("" : "+r"(___from));                            \
		switch (__CORE_RELO(s, field, BYTE_SIZE)) {                  \
		case 1:                                                      \
			___bits = *(const unsigned char *)___from;           \
			break;                                               \
		case 2:                                                      \
			___bits = *(const unsigned short *)___from;          \
			break;                                               \
		case 4:                                                      \
			___bits = *(const unsigned int *)___from;            \
			break;                                               \
		case 8:                                                      \
			___bits = *(const unsigned long long *)___from;      \
			break;                                               \
		}                                                            \
		___bpf_cut_out(___bits, s, field);                           \
	})

/* Store into a field, with plain loads and stores; its neighbours stay. */
#define BPF_CORE_WRITE_BITFIELD(s, field, new_val)                           \
	({                                                                   \
		void *___to = (void *)(s) + __CORE_RELO(s, field, BYTE_OFFSET); \
		unsigned int ___size = __CORE_RELO(s, field, BYTE_SIZE);     \
		unsigned int ___left = __CORE_RELO(s, field, LSHIFT_U64);    \
		unsigned int ___right = __CORE_RELO(s, field, RSHIFT_U64);   \
		unsigned long long ___mask = (~0ULL << ___right) >> ___left; \
		unsigned long long ___put = new_val;                         \
                                                                             \
		___put = (___put << (___right - ___left)) & ___mask;         \
		asm volatile("" : "+r"(___to));                              \
		switch (___size) {                                           \
		case 1:                                                      \
			___bpf_mix(unsigned char, ___to, ___put, ___mask);   \
			break;                                               \
		case 2:                                                      \
			___bpf_mix(unsigned short, ___to, ___put, ___mask);  \
			break;                                               \
		case 4:                                                      \
			___bpf_mix(unsigned int, ___to, ___put, ___mask);    \
			break;                                               \
		case 8:                                                      \
			___bpf_mix(unsigned long long, ___to, ___put, ___mask); \
			break;                                               \
		}                                                            \
	})
#define ___bpf_mix(type, to, put, mask) \
	(*(type *)(to) = (*(type *)(to) & ~(mask)) | (put))

#endif
