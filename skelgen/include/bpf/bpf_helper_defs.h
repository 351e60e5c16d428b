/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's helper functions: what they do, their types, their numbers. Made by
 * tools/gen_helper_defs.py of skelgen; do not edit.
 *
 * A helper is called through a constant pointer whose value is its number, which is
 * what the call instruction holds. All 211 that there are; what came after Linux
 * 6.2 are kfuncs, declared in vmlinux.h. "0 or -errno" is what a long returns where
 * nothing else is said.
 */
#ifndef __BPF_HELPER_DEFS_H
#define __BPF_HELPER_DEFS_H

/* A call that spares the registers r1 to r5 (clang 20, kernel 6.12; older kernels
 * do with the saving and restoring that clang puts around it). Not for helpers unless
 * asked for with BPF_HELPERS_FASTCALL: it changes the code of programs.
 */
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif
#ifdef BPF_HELPERS_FASTCALL
#define ___bpf_helper_fastcall __bpf_fastcall
#else
#define ___bpf_helper_fastcall
#endif

struct __sk_buff;
struct bpf_tunnel_key;
struct xdp_md;
struct bpf_sock_ops;
struct bpf_perf_event_value;
struct bpf_perf_event_data;
struct pt_regs;
struct sk_msg_md;
struct bpf_sock_addr;
struct sockaddr;
struct bpf_xfrm_state;
struct bpf_fib_lookup;
struct sk_reuseport_md;
struct bpf_sock;
struct bpf_sock_tuple;
struct bpf_spin_lock;
struct bpf_tcp_sock;
struct tcphdr;
struct bpf_sysctl;
struct bpf_pidns_info;
struct seq_file;
struct tcp6_sock;
struct tcp_sock;
struct tcp_timewait_sock;
struct tcp_request_sock;
struct udp6_sock;
struct task_struct;
struct path;
struct btf_ptr;
struct bpf_redir_neigh;
struct linux_binprm;
struct inode;
struct socket;
struct file;
struct bpf_timer;
struct unix_sock;
struct mptcp_sock;
struct bpf_dynptr;
struct iphdr;
struct ipv6hdr;
struct cgroup;

/* The value of a key in place, NULL if the map has none. */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;

/* Store a value; flags BPF_ANY, BPF_NOEXIST (only new) or BPF_EXIST (only replace). */
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;

/* Remove a key; -ENOENT if it is not there. */
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;

/* Copy from an address that may be bad, kernel or user; prefer the two named after one. */
static long (*const bpf_probe_read)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)4;

/* Nanoseconds of CLOCK_MONOTONIC: since boot, without time asleep. */
static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;

/* Write a line to trace_pipe, at most three values; bpf_printk() calls it. */
static long (*const bpf_trace_printk)(const char *fmt, __u32 fmt_size, ...) = (void *)6;

/* A random number, good enough for sampling, not for keys. */
static __u32 (*const bpf_get_prandom_u32)(void) = (void *)7;

/* Number of the CPU the program runs on. */
static ___bpf_helper_fastcall __u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;

/* Write into the packet at an offset; flags BPF_F_RECOMPUTE_CSUM, BPF_F_INVALIDATE_HASH. Packet pointers are void after it. */
static long (*const bpf_skb_store_bytes)(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len, __u64 flags) = (void *)9;

/* Adjust the IP checksum at an offset for a value that changed; size 2, 4, or 0 with a difference in `to`. */
static long (*const bpf_l3_csum_replace)(struct __sk_buff *skb, __u32 offset, __u64 from, __u64 to, __u64 size) = (void *)10;

/* Adjust a TCP or UDP checksum at an offset; flags: size of the value, BPF_F_PSEUDO_HDR, BPF_F_MARK_MANGLED_0. */
static long (*const bpf_l4_csum_replace)(struct __sk_buff *skb, __u32 offset, __u64 from, __u64 to, __u64 flags) = (void *)11;

/* Jump into the program in a slot of a program array; returns only if that fails. */
static long (*const bpf_tail_call)(void *ctx, void *prog_array_map, __u32 index) = (void *)12;

/* Send a copy of the packet out of (or with BPF_F_INGRESS into) another interface. */
static long (*const bpf_clone_redirect)(struct __sk_buff *skb, __u32 ifindex, __u64 flags) = (void *)13;

/* Process id in the upper 32 bits, thread id in the lower, as the first namespace has them. */
static __u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;

/* Group id in the upper 32 bits, user id in the lower. */
static __u64 (*const bpf_get_current_uid_gid)(void) = (void *)15;

/* Name of the current thread, always ended by a NUL. */
static long (*const bpf_get_current_comm)(void *buf, __u32 size_of_buf) = (void *)16;

/* Class id of net_cls (cgroup v1) of the socket that sends. */
static __u32 (*const bpf_get_cgroup_classid)(struct __sk_buff *skb) = (void *)17;

/* Put a VLAN tag before the packet's header. */
static long (*const bpf_skb_vlan_push)(struct __sk_buff *skb, __u16 vlan_proto, __u16 vlan_tci) = (void *)18;

/* Take the outer VLAN tag off. */
static long (*const bpf_skb_vlan_pop)(struct __sk_buff *skb) = (void *)19;

/* What a collect-metadata tunnel took off: id, addresses, TOS, TTL. */
static long (*const bpf_skb_get_tunnel_key)(struct __sk_buff *skb, struct bpf_tunnel_key *key, __u32 size, __u64 flags) = (void *)20;

/* What a collect-metadata tunnel shall put on. */
static long (*const bpf_skb_set_tunnel_key)(struct __sk_buff *skb, struct bpf_tunnel_key *key, __u32 size, __u64 flags) = (void *)21;

/* Counter in a perf event array, by index or BPF_F_CURRENT_CPU; errors look like counts, see bpf_perf_event_read_value(). */
static __u64 (*const bpf_perf_event_read)(void *map, __u64 flags) = (void *)22;

/* Send the packet to another interface: return the result of this from the program. */
static long (*const bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)23;

/* Realm of the route the packet takes, 0 without one. */
static __u32 (*const bpf_get_route_realm)(struct __sk_buff *skb) = (void *)24;

/* Send a record to user space through the perf buffer of an index or BPF_F_CURRENT_CPU. */
static long (*const bpf_perf_event_output)(void *ctx, void *map, __u64 flags, void *data, __u64 size) = (void *)25;

/* Copy out of the packet, wherever it lies in memory. */
static long (*const bpf_skb_load_bytes)(const void *skb, __u32 offset, void *to, __u32 len) = (void *)26;

/* Id of the current stack in a stack map; flags: frames to skip, BPF_F_USER_STACK, BPF_F_REUSE_STACKID, BPF_F_FAST_STACK_CMP. */
static long (*const bpf_get_stackid)(void *ctx, void *map, __u64 flags) = (void *)27;

/* Checksum of what changes between two buffers, added to `seed`; sizes are multiples of 4. */
static __s64 (*const bpf_csum_diff)(__u32 *from, __u32 from_size, __u32 *to, __u32 to_size, __u32 seed) = (void *)28;

/* Options that a tunnel took off, and their length. */
static long (*const bpf_skb_get_tunnel_opt)(struct __sk_buff *skb, void *opt, __u32 size) = (void *)29;

/* Options that a tunnel shall put on. */
static long (*const bpf_skb_set_tunnel_opt)(struct __sk_buff *skb, void *opt, __u32 size) = (void *)30;

/* Make room for the header of the other IP version; its contents are the program's to write. */
static long (*const bpf_skb_change_proto)(struct __sk_buff *skb, __u16 proto, __u64 flags) = (void *)31;

/* Set whom the packet is for: PACKET_HOST and the like. */
static long (*const bpf_skb_change_type)(struct __sk_buff *skb, __u32 type) = (void *)32;

/* 1 if the sending socket is in a cgroup (v2) of the array or below it, 0 if not. */
static long (*const bpf_skb_under_cgroup)(struct __sk_buff *skb, void *map, __u32 index) = (void *)33;

/* Hash of the packet's flow, computed if not known. */
static __u32 (*const bpf_get_hash_recalc)(struct __sk_buff *skb) = (void *)34;

/* Address of the current task_struct, a bare number; bpf_get_current_task_btf() has the type. */
static __u64 (*const bpf_get_current_task)(void) = (void *)35;

/* Write to memory of the current process; for experiments only, it warns in the log. */
static long (*const bpf_probe_write_user)(void *dst, const void *src, __u32 len) = (void *)36;

/* 1 if the current task is in a cgroup (v2) of the array or below it, 0 if not. */
static long (*const bpf_current_task_under_cgroup)(void *map, __u32 index) = (void *)37;

/* Cut or grow the packet at its end. */
static long (*const bpf_skb_change_tail)(struct __sk_buff *skb, __u32 len, __u64 flags) = (void *)38;

/* Make the first bytes readable by pointer; 0 means all that lie in one piece already, writable too. */
static long (*const bpf_skb_pull_data)(struct __sk_buff *skb, __u32 len) = (void *)39;

/* Add to the checksum that the driver computed. */
static __s64 (*const bpf_csum_update)(struct __sk_buff *skb, __u32 csum) = (void *)40;

/* Forget the packet's hash after a change to its headers. */
static void (*const bpf_set_hash_invalid)(struct __sk_buff *skb) = (void *)41;

/* NUMA node of the CPU the program runs on. */
static long (*const bpf_get_numa_node_id)(void) = (void *)42;

/* Make room before the packet, for a link-layer header. */
static long (*const bpf_skb_change_head)(struct __sk_buff *skb, __u32 len, __u64 flags) = (void *)43;

/* Move the start of the packet, negative to make room. */
static long (*const bpf_xdp_adjust_head)(struct xdp_md *xdp_md, int delta) = (void *)44;

/* Copy a string from an address that may be bad: its length with the NUL, or -errno. */
static long (*const bpf_probe_read_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)45;

/* A number for the socket that no other has while the machine runs. */
static __u64 (*const bpf_get_socket_cookie)(void *ctx) = (void *)46;

/* User id that owns the socket, as its network namespace sees it. */
static __u32 (*const bpf_get_socket_uid)(struct __sk_buff *skb) = (void *)47;

/* Set the packet's hash. */
static long (*const bpf_set_hash)(struct __sk_buff *skb, __u32 hash) = (void *)48;

/* setsockopt() on the context's socket, for the options that are allowed here. */
static long (*const bpf_setsockopt)(void *bpf_socket, int level, int optname, void *optval, int optlen) = (void *)49;

/* Grow or shrink the packet after its link or network header, for encapsulation. */
static long (*const bpf_skb_adjust_room)(struct __sk_buff *skb, __s32 len_diff, __u32 mode, __u64 flags) = (void *)50;

/* Send the packet to the device, CPU or socket in a slot of a map; the low bits of flags are the result if the slot is empty. */
static long (*const bpf_redirect_map)(void *map, __u64 key, __u64 flags) = (void *)51;

/* Pass the data to a socket of a sock map, its ingress with BPF_F_INGRESS. */
static long (*const bpf_sk_redirect_map)(struct __sk_buff *skb, void *map, __u32 key, __u64 flags) = (void *)52;

/* Put the socket of this event into a sock map. */
static long (*const bpf_sock_map_update)(struct bpf_sock_ops *skops, void *map, void *key, __u64 flags) = (void *)53;

/* Move the start of the metadata before the packet. */
static long (*const bpf_xdp_adjust_meta)(struct xdp_md *xdp_md, int delta) = (void *)54;

/* Counter, enabled and running time of an event in a perf event array. */
static long (*const bpf_perf_event_read_value)(void *map, __u64 flags, struct bpf_perf_event_value *buf, __u32 buf_size) = (void *)55;

/* Counter and times of the event that this program is attached to. */
static long (*const bpf_perf_prog_read_value)(struct bpf_perf_event_data *ctx, struct bpf_perf_event_value *buf, __u32 buf_size) = (void *)56;

/* getsockopt() on the context's socket, for the options that are allowed here. */
static long (*const bpf_getsockopt)(void *bpf_socket, int level, int optname, void *optval, int optlen) = (void *)57;

/* Make the probed function return at once with `rc`; for functions open to error injection. */
static long (*const bpf_override_return)(struct pt_regs *regs, __u64 rc) = (void *)58;

/* Choose for which events of this TCP socket the program is called; returns bits not supported. */
static long (*const bpf_sock_ops_cb_flags_set)(struct bpf_sock_ops *bpf_sock, int argval) = (void *)59;

/* Send the message to a socket of a sock map. */
static long (*const bpf_msg_redirect_map)(struct sk_msg_md *msg, void *map, __u32 key, __u64 flags) = (void *)60;

/* Let the verdict hold for this many bytes, without being asked again. */
static long (*const bpf_msg_apply_bytes)(struct sk_msg_md *msg, __u32 bytes) = (void *)61;

/* Ask again when this many bytes have come together. */
static long (*const bpf_msg_cork_bytes)(struct sk_msg_md *msg, __u32 bytes) = (void *)62;

/* Make a range of the message readable by pointer. */
static long (*const bpf_msg_pull_data)(struct sk_msg_md *msg, __u32 start, __u32 end, __u64 flags) = (void *)63;

/* Bind the socket to an address before it connects; port 0 picks one. */
static long (*const bpf_bind)(struct bpf_sock_addr *ctx, struct sockaddr *addr, int addr_len) = (void *)64;

/* Move the end of the packet, negative to cut. */
static long (*const bpf_xdp_adjust_tail)(struct xdp_md *xdp_md, int delta) = (void *)65;

/* State of the IPsec transformation at an index of the packet's path. */
static long (*const bpf_skb_get_xfrm_state)(struct __sk_buff *skb, __u32 index, struct bpf_xfrm_state *xfrm_state, __u32 size, __u64 flags) = (void *)66;

/* Addresses of the current stack into a buffer: bytes written; flags: frames to skip, BPF_F_USER_STACK, BPF_F_USER_BUILD_ID. */
static long (*const bpf_get_stack)(void *ctx, void *buf, __u32 size, __u64 flags) = (void *)67;

/* Copy out of the packet from its MAC or network header on. */
static long (*const bpf_skb_load_bytes_relative)(const void *skb, __u32 offset, void *to, __u32 len, __u32 start_header) = (void *)68;

/* Ask the routing table and the neighbours: 0 if the packet can go as filled in, else BPF_FIB_LKUP_RET_*. */
static long (*const bpf_fib_lookup)(void *ctx, struct bpf_fib_lookup *params, int plen, __u32 flags) = (void *)69;

/* Put the socket of this event into a sock hash. */
static long (*const bpf_sock_hash_update)(struct bpf_sock_ops *skops, void *map, void *key, __u64 flags) = (void *)70;

/* Send the message to a socket of a sock hash. */
static long (*const bpf_msg_redirect_hash)(struct sk_msg_md *msg, void *map, void *key, __u64 flags) = (void *)71;

/* Pass the data to a socket of a sock hash, its ingress with BPF_F_INGRESS. */
static long (*const bpf_sk_redirect_hash)(struct __sk_buff *skb, void *map, void *key, __u64 flags) = (void *)72;

/* Put a header around the packet: BPF_LWT_ENCAP_SEG6, _SEG6_INLINE, _IP. */
static long (*const bpf_lwt_push_encap)(struct __sk_buff *skb, __u32 type, void *hdr, __u32 len) = (void *)73;

/* Write to the fields of the segment routing header that may change. */
static long (*const bpf_lwt_seg6_store_bytes)(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len) = (void *)74;

/* Grow or shrink the TLVs of the segment routing header. */
static long (*const bpf_lwt_seg6_adjust_srh)(struct __sk_buff *skb, __u32 offset, __s32 delta) = (void *)75;

/* Apply a segment routing action (SEG6_LOCAL_ACTION_*) to the packet. */
static long (*const bpf_lwt_seg6_action)(struct __sk_buff *skb, __u32 action, void *param, __u32 param_len) = (void *)76;

/* Report that the remote control's last key is still held. */
static long (*const bpf_rc_repeat)(void *ctx) = (void *)77;

/* Report a key of a remote control: protocol, scan code, toggle bit. */
static long (*const bpf_rc_keydown)(void *ctx, __u32 protocol, __u64 scancode, __u32 toggle) = (void *)78;

/* Id of the cgroup (v2) of the packet's socket. */
static __u64 (*const bpf_skb_cgroup_id)(struct __sk_buff *skb) = (void *)79;

/* Id of the current task's cgroup (v2). */
static __u64 (*const bpf_get_current_cgroup_id)(void) = (void *)80;

/* The storage of this program's cgroup; the map is a cgroup storage, flags 0. */
static void *(*const bpf_get_local_storage)(void *map, __u64 flags) = (void *)81;

/* Choose the socket of a reuseport array that gets the packet. */
static long (*const bpf_sk_select_reuseport)(struct sk_reuseport_md *reuse, void *map, void *key, __u64 flags) = (void *)82;

/* Id of the ancestor, at a level (0 is the root), of the cgroup of the packet's socket. */
static __u64 (*const bpf_skb_ancestor_cgroup_id)(struct __sk_buff *skb, int ancestor_level) = (void *)83;

/* Find a TCP socket by its addresses, or NULL; release it with bpf_sk_release(). */
static struct bpf_sock *(*const bpf_sk_lookup_tcp)(void *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *)84;

/* Find a UDP socket by its addresses, or NULL; release it with bpf_sk_release(). */
static struct bpf_sock *(*const bpf_sk_lookup_udp)(void *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *)85;

/* Give back a socket that a lookup found. */
static long (*const bpf_sk_release)(void *sock) = (void *)86;

/* Push to a queue, stack or bloom filter; BPF_EXIST drops the oldest of a full one. */
static long (*const bpf_map_push_elem)(void *map, const void *value, __u64 flags) = (void *)87;

/* Take the next element of a queue or stack; -ENOENT if empty. */
static long (*const bpf_map_pop_elem)(void *map, void *value) = (void *)88;

/* Look at the next element of a queue or stack, or ask a bloom filter: 0 if maybe in it. */
static long (*const bpf_map_peek_elem)(void *map, void *value) = (void *)89;

/* Make room in the message at an offset. */
static long (*const bpf_msg_push_data)(struct sk_msg_md *msg, __u32 start, __u32 len, __u64 flags) = (void *)90;

/* Cut bytes out of the message at an offset. */
static long (*const bpf_msg_pop_data)(struct sk_msg_md *msg, __u32 start, __u32 len, __u64 flags) = (void *)91;

/* Report a move of a remote control's pointer. */
static long (*const bpf_rc_pointer_rel)(void *ctx, __s32 rel_x, __s32 rel_y) = (void *)92;

/* Lock a spin lock in a map value; only one at a time. */
static long (*const bpf_spin_lock)(struct bpf_spin_lock *lock) = (void *)93;

/* Unlock it again, on every way out. */
static long (*const bpf_spin_unlock)(struct bpf_spin_lock *lock) = (void *)94;

/* The full socket behind one whose common part is known, or NULL. */
static struct bpf_sock *(*const bpf_sk_fullsock)(struct bpf_sock *sk) = (void *)95;

/* The TCP fields of a socket, or NULL. */
static struct bpf_tcp_sock *(*const bpf_tcp_sock)(struct bpf_sock *sk) = (void *)96;

/* Mark congestion in the IP header: 1 if it is marked now, 0 if it cannot be. */
static long (*const bpf_skb_ecn_set_ce)(struct __sk_buff *skb) = (void *)97;

/* The listening socket for one that is being set up, or NULL. */
static struct bpf_sock *(*const bpf_get_listener_sock)(struct bpf_sock *sk) = (void *)98;

/* bpf_sk_lookup_tcp() that also finds request and time-wait sockets. */
static struct bpf_sock *(*const bpf_skc_lookup_tcp)(void *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *)99;

/* 0 if the ACK carries a SYN cookie that the listening socket gave out. */
static long (*const bpf_tcp_check_syncookie)(void *sk, void *iph, __u32 iph_len, struct tcphdr *th, __u32 th_len) = (void *)100;

/* Name of the sysctl that is being used; with BPF_F_SYSCTL_BASE_NAME without its folders. */
static long (*const bpf_sysctl_get_name)(struct bpf_sysctl *ctx, char *buf, unsigned long buf_len, __u64 flags) = (void *)101;

/* Value that the sysctl has now, as text. */
static long (*const bpf_sysctl_get_current_value)(struct bpf_sysctl *ctx, char *buf, unsigned long buf_len) = (void *)102;

/* Value that is about to be written, as text. */
static long (*const bpf_sysctl_get_new_value)(struct bpf_sysctl *ctx, char *buf, unsigned long buf_len) = (void *)103;

/* Another value to be written in its place. */
static long (*const bpf_sysctl_set_new_value)(struct bpf_sysctl *ctx, const char *buf, unsigned long buf_len) = (void *)104;

/* Text to signed number, base (0, 8, 10, 16) in flags: characters used, or -errno. */
static long (*const bpf_strtol)(const char *buf, unsigned long buf_len, __u64 flags, long *res) = (void *)105;

/* Text to unsigned number, base (0, 8, 10, 16) in flags: characters used, or -errno. */
static long (*const bpf_strtoul)(const char *buf, unsigned long buf_len, __u64 flags, unsigned long *res) = (void *)106;

/* The value that a socket storage map has for this socket; BPF_SK_STORAGE_GET_F_CREATE makes one. */
static void *(*const bpf_sk_storage_get)(void *map, void *sk, void *value, __u64 flags) = (void *)107;

/* Remove it. */
static long (*const bpf_sk_storage_delete)(void *map, void *sk) = (void *)108;

/* Send a signal to the current process, any of its threads. */
static long (*const bpf_send_signal)(__u32 sig) = (void *)109;

/* A SYN cookie for a listening socket: cookie in the lower 32 bits, MSS in the upper, or -errno. */
static __s64 (*const bpf_tcp_gen_syncookie)(void *sk, void *iph, __u32 iph_len, struct tcphdr *th, __u32 th_len) = (void *)110;

/* bpf_perf_event_output() with the head of an sk_buff: its length in the upper 32 bits of flags. */
static long (*const bpf_skb_output)(void *ctx, void *map, __u64 flags, void *data, __u64 size) = (void *)111;

/* Copy from user memory of the current process; -EFAULT if it is not mapped. */
static long (*const bpf_probe_read_user)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)112;

/* Copy from kernel memory; -EFAULT if there is none. */
static long (*const bpf_probe_read_kernel)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)113;

/* Copy a string from user memory: its length with the NUL, or -errno. */
static long (*const bpf_probe_read_user_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)114;

/* Copy a string from kernel memory: its length with the NUL, or -errno. */
static long (*const bpf_probe_read_kernel_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *)115;

/* Have a TCP socket send an ACK, for congestion control in BPF. */
static long (*const bpf_tcp_send_ack)(void *tp, __u32 rcv_nxt) = (void *)116;

/* Send a signal to the current thread. */
static long (*const bpf_send_signal_thread)(__u32 sig) = (void *)117;

/* The kernel's tick counter, 64 bits. */
static __u64 (*const bpf_jiffies64)(void) = (void *)118;

/* Branch records of this perf event: bytes written, or with BPF_F_GET_BRANCH_RECORDS_SIZE needed. */
static long (*const bpf_read_branch_records)(struct bpf_perf_event_data *ctx, void *buf, __u32 size, __u64 flags) = (void *)119;

/* Process and thread id as a pid namespace, given by device and inode, sees them. */
static long (*const bpf_get_ns_current_pid_tgid)(__u64 dev, __u64 ino, struct bpf_pidns_info *nsdata, __u32 size) = (void *)120;

/* bpf_perf_event_output() with the head of an XDP packet: its length in the upper 32 bits of flags. */
static long (*const bpf_xdp_output)(void *ctx, void *map, __u64 flags, void *data, __u64 size) = (void *)121;

/* A number for the network namespace of the socket; with NULL, of the first one. */
static __u64 (*const bpf_get_netns_cookie)(void *ctx) = (void *)122;

/* Id of the ancestor, at a level (0 is the root), of the current task's cgroup. */
static __u64 (*const bpf_get_current_ancestor_cgroup_id)(int ancestor_level) = (void *)123;

/* Give the packet, or this lookup, to a socket. */
static long (*const bpf_sk_assign)(void *ctx, void *sk, __u64 flags) = (void *)124;

/* Nanoseconds of CLOCK_BOOTTIME: since boot, with time asleep. */
static __u64 (*const bpf_ktime_get_boot_ns)(void) = (void *)125;

/* printf() to an iterator's file; BPF_SEQ_PRINTF() calls it. */
static long (*const bpf_seq_printf)(struct seq_file *m, const char *fmt, __u32 fmt_size, const void *data, __u32 data_len) = (void *)126;

/* Write bytes to an iterator's file. */
static long (*const bpf_seq_write)(struct seq_file *m, const void *data, __u32 len) = (void *)127;

/* Id of the cgroup (v2) of a socket. */
static __u64 (*const bpf_sk_cgroup_id)(void *sk) = (void *)128;

/* Id of the ancestor, at a level (0 is the root), of a socket's cgroup. */
static __u64 (*const bpf_sk_ancestor_cgroup_id)(void *sk, int ancestor_level) = (void *)129;

/* Copy a record into the ring buffer; flags BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP. */
static long (*const bpf_ringbuf_output)(void *ringbuf, void *data, __u64 size, __u64 flags) = (void *)130;

/* Room for a record of a constant size, NULL if full; submit or discard it. */
static void *(*const bpf_ringbuf_reserve)(void *ringbuf, __u64 size, __u64 flags) = (void *)131;

/* Hand the record over to user space. */
static void (*const bpf_ringbuf_submit)(void *data, __u64 flags) = (void *)132;

/* Drop the record; user space skips it. */
static void (*const bpf_ringbuf_discard)(void *data, __u64 flags) = (void *)133;

/* A fact about the ring buffer: BPF_RB_AVAIL_DATA, _RING_SIZE, _CONS_POS, _PROD_POS. */
static __u64 (*const bpf_ringbuf_query)(void *ringbuf, __u64 flags) = (void *)134;

/* How many checksums the driver has checked: BPF_CSUM_LEVEL_QUERY, _INC, _DEC, _RESET. */
static long (*const bpf_csum_level)(struct __sk_buff *skb, __u64 level) = (void *)135;

/* The socket as a tcp6_sock, NULL if it is none. */
static struct tcp6_sock *(*const bpf_skc_to_tcp6_sock)(void *sk) = (void *)136;

/* The socket as a tcp_sock, NULL if it is none. */
static struct tcp_sock *(*const bpf_skc_to_tcp_sock)(void *sk) = (void *)137;

/* The socket as a tcp_timewait_sock, NULL if it is none. */
static struct tcp_timewait_sock *(*const bpf_skc_to_tcp_timewait_sock)(void *sk) = (void *)138;

/* The socket as a tcp_request_sock, NULL if it is none. */
static struct tcp_request_sock *(*const bpf_skc_to_tcp_request_sock)(void *sk) = (void *)139;

/* The socket as a udp6_sock, NULL if it is none. */
static struct udp6_sock *(*const bpf_skc_to_udp6_sock)(void *sk) = (void *)140;

/* Addresses of a task's stack into a buffer: bytes written. */
static long (*const bpf_get_task_stack)(struct task_struct *task, void *buf, __u32 size, __u64 flags) = (void *)141;

/* Find a TCP header option: its length, or -errno. */
static long (*const bpf_load_hdr_opt)(struct bpf_sock_ops *skops, void *searchby_res, __u32 len, __u64 flags) = (void *)142;

/* Write a TCP header option into the room reserved for it. */
static long (*const bpf_store_hdr_opt)(struct bpf_sock_ops *skops, const void *from, __u32 len, __u64 flags) = (void *)143;

/* Reserve room for TCP header options in the next packets. */
static long (*const bpf_reserve_hdr_opt)(struct bpf_sock_ops *skops, __u32 len, __u64 flags) = (void *)144;

/* The value that an inode storage map has for this inode; BPF_LOCAL_STORAGE_GET_F_CREATE makes one. */
static void *(*const bpf_inode_storage_get)(void *map, void *inode, void *value, __u64 flags) = (void *)145;

/* Remove it. */
static int (*const bpf_inode_storage_delete)(void *map, void *inode) = (void *)146;

/* Full path of a struct path: its length, or -errno; from some functions only. */
static long (*const bpf_d_path)(const struct path *path, char *buf, __u32 sz) = (void *)147;

/* Copy from user memory that may have to be paged in: sleepable programs. */
static long (*const bpf_copy_from_user)(void *dst, __u32 size, const void *user_ptr) = (void *)148;

/* Print a value by its BTF type into a buffer: the length it needs. */
static long (*const bpf_snprintf_btf)(char *str, __u32 str_size, struct btf_ptr *ptr, __u32 btf_ptr_size, __u64 flags) = (void *)149;

/* Print a value by its BTF type to an iterator's file. */
static long (*const bpf_seq_printf_btf)(struct seq_file *m, struct btf_ptr *ptr, __u32 ptr_size, __u64 flags) = (void *)150;

/* Class id of net_cls (cgroup v1) of the packet's socket. */
static __u64 (*const bpf_skb_cgroup_classid)(struct __sk_buff *skb) = (void *)151;

/* bpf_redirect() that looks up the neighbour and fills in the link-layer header. */
static long (*const bpf_redirect_neigh)(__u32 ifindex, struct bpf_redir_neigh *params, int plen, __u64 flags) = (void *)152;

/* A per-CPU variable of the kernel (__ksym) on one CPU, NULL if there is no such CPU. */
static void *(*const bpf_per_cpu_ptr)(const void *percpu_ptr, __u32 cpu) = (void *)153;

/* A per-CPU variable of the kernel (__ksym) on this CPU. */
static void *(*const bpf_this_cpu_ptr)(const void *percpu_ptr) = (void *)154;

/* Send the packet straight to the other end of a veth pair, in its namespace. */
static long (*const bpf_redirect_peer)(__u32 ifindex, __u64 flags) = (void *)155;

/* The value that a task storage map has for this task; BPF_LOCAL_STORAGE_GET_F_CREATE makes one. */
static void *(*const bpf_task_storage_get)(void *map, struct task_struct *task, void *value, __u64 flags) = (void *)156;

/* Remove it. */
static long (*const bpf_task_storage_delete)(void *map, struct task_struct *task) = (void *)157;

/* The current task_struct, its members readable. */
static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158;

/* Options for the program that is being executed: BPF_F_BPRM_SECUREEXEC. */
static long (*const bpf_bprm_opts_set)(struct linux_binprm *bprm, __u64 flags) = (void *)159;

/* Nanoseconds of CLOCK_MONOTONIC_COARSE: of the last tick, cheap. */
static __u64 (*const bpf_ktime_get_coarse_ns)(void) = (void *)160;

/* Hash of a file that IMA has stored for its inode: the algorithm, or -errno. */
static long (*const bpf_ima_inode_hash)(struct inode *inode, void *dst, __u32 size) = (void *)161;

/* The socket of a file, NULL if it is none. */
static struct socket *(*const bpf_sock_from_file)(struct file *file) = (void *)162;

/* Does the packet, longer by len_diff, fit the MTU? BPF_MTU_CHK_RET_*, and the MTU. */
static long (*const bpf_check_mtu)(void *ctx, __u32 ifindex, __u32 *mtu_len, __s32 len_diff, __u64 flags) = (void *)163;

/* Call a function (map, key, value, ctx) for each element, until it returns 1: how many were visited. */
static long (*const bpf_for_each_map_elem)(void *map, void *callback_fn, void *callback_ctx, __u64 flags) = (void *)164;

/* printf() into a buffer: the length the text needs with its NUL; BPF_SNPRINTF() calls it. */
static long (*const bpf_snprintf)(char *str, __u32 str_size, const char *fmt, __u64 *data, __u32 data_len) = (void *)165;

/* bpf() from a syscall program. */
static long (*const bpf_sys_bpf)(__u32 cmd, void *attr, __u32 attr_size) = (void *)166;

/* A type of vmlinux or a module by name and kind: id below, fd of the module's BTF above 32 bits. */
static long (*const bpf_btf_find_by_name_kind)(char *name, int name_sz, __u32 kind, int flags) = (void *)167;

/* close() from a syscall program. */
static long (*const bpf_sys_close)(__u32 fd) = (void *)168;

/* Set up a timer in a map value; flags: a clock (CLOCK_MONOTONIC, CLOCK_BOOTTIME). */
static long (*const bpf_timer_init)(struct bpf_timer *timer, void *map, __u64 flags) = (void *)169;

/* The function (map, key, value) that the timer calls. */
static long (*const bpf_timer_set_callback)(struct bpf_timer *timer, void *callback_fn) = (void *)170;

/* Start it: to fire in nsecs, or at that time with BPF_F_TIMER_ABS. */
static long (*const bpf_timer_start)(struct bpf_timer *timer, __u64 nsecs, __u64 flags) = (void *)171;

/* Stop it and wait for its function: 1 if it was running. */
static long (*const bpf_timer_cancel)(struct bpf_timer *timer) = (void *)172;

/* Address of the function traced, 0 if the probe is not at its start. */
static __u64 (*const bpf_get_func_ip)(void *ctx) = (void *)173;

/* The number that this attachment was made with. */
static __u64 (*const bpf_get_attach_cookie)(void *ctx) = (void *)174;

/* Address of the registers that a task entered the kernel with. */
static long (*const bpf_task_pt_regs)(struct task_struct *task) = (void *)175;

/* Branch records of the CPU up to now: bytes written. */
static long (*const bpf_get_branch_snapshot)(void *entries, __u32 size, __u64 flags) = (void *)176;

/* Write a line to trace_pipe, any number of values; bpf_printk() calls it. */
static long (*const bpf_trace_vprintk)(const char *fmt, __u32 fmt_size, const void *data, __u32 data_len) = (void *)177;

/* The socket as a unix_sock, NULL if it is none. */
static struct unix_sock *(*const bpf_skc_to_unix_sock)(void *sk) = (void *)178;

/* Address of a kernel symbol, from a syscall program. */
static long (*const bpf_kallsyms_lookup_name)(const char *name, int name_sz, int flags, __u64 *res) = (void *)179;

/* Call a function (task, vma, ctx) for the mapping of a task that holds an address. */
static long (*const bpf_find_vma)(struct task_struct *task, __u64 addr, void *callback_fn, void *callback_ctx, __u64 flags) = (void *)180;

/* Call a function (index, ctx) up to nr_loops times, until it returns 1: how many times. */
static long (*const bpf_loop)(__u32 nr_loops, void *callback_fn, void *callback_ctx, __u64 flags) = (void *)181;

/* strncmp() with a constant second string. */
static long (*const bpf_strncmp)(const char *s1, __u32 s1_sz, const char *s2) = (void *)182;

/* Argument n (from 0) of the function traced by fentry, fexit or fmod_ret. */
static long (*const bpf_get_func_arg)(void *ctx, __u32 n, __u64 *value) = (void *)183;

/* Result of the function traced by fexit or fmod_ret. */
static long (*const bpf_get_func_ret)(void *ctx, __u64 *value) = (void *)184;

/* How many arguments (in registers) the traced function has. */
static long (*const bpf_get_func_arg_cnt)(void *ctx) = (void *)185;

/* The result so far of the call this cgroup program decides on. */
static int (*const bpf_get_retval)(void) = (void *)186;

/* The result it shall have: 0 or -errno. */
static int (*const bpf_set_retval)(int retval) = (void *)187;

/* Length of the packet with all of its fragments. */
static __u64 (*const bpf_xdp_get_buff_len)(struct xdp_md *xdp_md) = (void *)188;

/* Copy out of a packet, across fragments. */
static long (*const bpf_xdp_load_bytes)(struct xdp_md *xdp_md, __u32 offset, void *buf, __u32 len) = (void *)189;

/* Write into a packet, across fragments. */
static long (*const bpf_xdp_store_bytes)(struct xdp_md *xdp_md, __u32 offset, void *buf, __u32 len) = (void *)190;

/* Copy from the memory of another task: sleepable programs. */
static long (*const bpf_copy_from_user_task)(void *dst, __u32 size, const void *user_ptr, struct task_struct *tsk, __u64 flags) = (void *)191;

/* When the packet is to leave, and by which clock: BPF_SKB_TSTAMP_DELIVERY_MONO, or _UNSPEC for none. */
static long (*const bpf_skb_set_tstamp)(struct __sk_buff *skb, __u64 tstamp, __u32 tstamp_type) = (void *)192;

/* Hash of a file, computed by IMA if need be: the algorithm, or -errno. */
static long (*const bpf_ima_file_hash)(struct file *file, void *dst, __u32 size) = (void *)193;

/* Put a kernel pointer into a map value and take out the old one (or NULL), which is then the program's to release. */
static void *(*const bpf_kptr_xchg)(void *dst, void *ptr) = (void *)194;

/* The value of a key on one CPU, NULL if there is none. */
static void *(*const bpf_map_lookup_percpu_elem)(void *map, const void *key, __u32 cpu) = (void *)195;

/* The socket as an mptcp_sock, NULL if it is none. */
static struct mptcp_sock *(*const bpf_skc_to_mptcp_sock)(void *sk) = (void *)196;

/* A dynptr to memory of a map value. */
static long (*const bpf_dynptr_from_mem)(void *data, __u32 size, __u64 flags, struct bpf_dynptr *ptr) = (void *)197;

/* Room in the ring buffer for a record of any size, as a dynptr; submit or discard it, even if this fails. */
static long (*const bpf_ringbuf_reserve_dynptr)(void *ringbuf, __u32 size, __u64 flags, struct bpf_dynptr *ptr) = (void *)198;

/* Hand the record over to user space. */
static void (*const bpf_ringbuf_submit_dynptr)(struct bpf_dynptr *ptr, __u64 flags) = (void *)199;

/* Drop the record; user space skips it. */
static void (*const bpf_ringbuf_discard_dynptr)(struct bpf_dynptr *ptr, __u64 flags) = (void *)200;

/* Copy out of a dynptr; -E2BIG beyond its end. */
static long (*const bpf_dynptr_read)(void *dst, __u32 len, const struct bpf_dynptr *src, __u32 offset, __u64 flags) = (void *)201;

/* Copy into a dynptr; -E2BIG beyond its end. flags as for what it points to. */
static long (*const bpf_dynptr_write)(const struct bpf_dynptr *dst, __u32 offset, void *src, __u32 len, __u64 flags) = (void *)202;

/* Pointer to a constant number of bytes in a dynptr, NULL beyond its end or if read-only. */
static void *(*const bpf_dynptr_data)(const struct bpf_dynptr *ptr, __u32 offset, __u32 len) = (void *)203;

/* A SYN cookie for an IPv4 packet, without a socket: cookie in the lower 32 bits, MSS above, or -errno. */
static __s64 (*const bpf_tcp_raw_gen_syncookie_ipv4)(struct iphdr *iph, struct tcphdr *th, __u32 th_len) = (void *)204;

/* A SYN cookie for an IPv6 packet, without a socket: cookie in the lower 32 bits, MSS above, or -errno. */
static __s64 (*const bpf_tcp_raw_gen_syncookie_ipv6)(struct ipv6hdr *iph, struct tcphdr *th, __u32 th_len) = (void *)205;

/* 0 if the ACK carries a SYN cookie of bpf_tcp_raw_gen_syncookie_ipv4(). */
static long (*const bpf_tcp_raw_check_syncookie_ipv4)(struct iphdr *iph, struct tcphdr *th) = (void *)206;

/* 0 if the ACK carries a SYN cookie of bpf_tcp_raw_gen_syncookie_ipv6(). */
static long (*const bpf_tcp_raw_check_syncookie_ipv6)(struct ipv6hdr *iph, struct tcphdr *th) = (void *)207;

/* Nanoseconds of CLOCK_TAI: wall time without leap seconds. */
static __u64 (*const bpf_ktime_get_tai_ns)(void) = (void *)208;

/* Call a function (dynptr, ctx) for each record that user space sent, until it returns 1: how many, or -errno. */
static long (*const bpf_user_ringbuf_drain)(void *map, void *callback_fn, void *ctx, __u64 flags) = (void *)209;

/* The value that a cgroup storage map has for this cgroup; BPF_LOCAL_STORAGE_GET_F_CREATE makes one. */
static void *(*const bpf_cgrp_storage_get)(void *map, struct cgroup *cgroup, void *value, __u64 flags) = (void *)210;

/* Remove it. */
static long (*const bpf_cgrp_storage_delete)(void *map, struct cgroup *cgroup) = (void *)211;

#endif
