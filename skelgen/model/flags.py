"""Flags of ``bpf(2)`` and of XDP, named as in ``linux/bpf.h`` and ``linux/if_link.h``.

A number says nothing without the call it is for: the same bit has another name in each
group. The kernel in brackets is the first that knows the flag.
"""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

# -- elements of a map: lookup, update -----------------------------------------

BPF_ANY: Final = 0
"""Create an element or replace it."""
BPF_NOEXIST: Final = 1
"""Create an element; ``EEXIST`` when it is there."""
BPF_EXIST: Final = 2
"""Replace an element; ``ENOENT`` when it is not there."""
BPF_F_LOCK: Final = 4
"""Take the ``bpf_spin_lock`` of the element (Linux 5.1)."""
BPF_F_CPU: Final = 8
"""Only the value of the CPU whose number is in the upper 32 bits (Linux 7.0)."""
BPF_F_ALL_CPUS: Final = 16
"""Write one value for every CPU of a per-CPU map (Linux 7.0)."""

# -- BPF_MAP_CREATE: map_flags; BPF_OBJ_GET and BPF_OBJ_PIN: file_flags --------

BPF_F_NO_PREALLOC: Final = 1 << 0
"""Allocate elements when they are written (Linux 4.6)."""
BPF_F_NO_COMMON_LRU: Final = 1 << 1
"""Keep a list of recent use for each CPU (Linux 4.10)."""
BPF_F_NUMA_NODE: Final = 1 << 2
"""Allocate on the node of ``numa_node`` (Linux 4.14)."""
BPF_F_RDONLY: Final = 1 << 3
"""Let system calls read elements alone (Linux 4.15)."""
BPF_F_WRONLY: Final = 1 << 4
"""Let system calls write elements alone (Linux 4.15)."""
BPF_F_STACK_BUILD_ID: Final = 1 << 5
"""Store stack frames as build id and offset (Linux 4.17)."""
BPF_F_ZERO_SEED: Final = 1 << 6
"""Hash without a random seed (Linux 5.0)."""
BPF_F_RDONLY_PROG: Final = 1 << 7
"""Let programs read elements alone (Linux 5.2)."""
BPF_F_WRONLY_PROG: Final = 1 << 8
"""Let programs write elements alone (Linux 5.2)."""
BPF_F_CLONE: Final = 1 << 9
"""Give a socket's storage to the sockets that it accepts (Linux 5.4)."""
BPF_F_MMAPABLE: Final = 1 << 10
"""Let processes map the memory of the values (Linux 5.5)."""
BPF_F_PRESERVE_ELEMS: Final = 1 << 11
"""Keep perf events when the fd that wrote them is closed (Linux 5.10)."""
BPF_F_INNER_MAP: Final = 1 << 12
"""Let an array of another size stand in as inner map (Linux 5.10)."""
BPF_F_LINK: Final = 1 << 13
"""Register a struct_ops map through a link (Linux 6.4).

In the calls that attach: the relative is a link.
"""
BPF_F_PATH_FD: Final = 1 << 14
"""The path of a pin starts at ``path_fd`` (Linux 6.5)."""
BPF_F_VTYPE_BTF_OBJ_FD: Final = 1 << 15
"""The value's type is in the BTF of a module (Linux 6.9)."""
BPF_F_TOKEN_FD: Final = 1 << 16
"""Use the rights of a BPF token (Linux 6.9); BPF_PROG_LOAD and BPF_BTF_LOAD too."""
BPF_F_SEGV_ON_FAULT: Final = 1 << 17
"""Send ``SIGSEGV`` for a page of an arena that is not there (Linux 6.9)."""
BPF_F_NO_USER_CONV: Final = 1 << 18
"""Do not convert an arena's addresses to those of user space (Linux 6.9)."""
BPF_F_RB_OVERWRITE: Final = 1 << 19
"""Overwrite the oldest records of a ring buffer that is full (Linux 6.19)."""

# -- BPF_PROG_LOAD: prog_flags -------------------------------------------------

BPF_F_STRICT_ALIGNMENT: Final = 1 << 0
"""Verify as on machines that need aligned accesses (Linux 4.12)."""
BPF_F_ANY_ALIGNMENT: Final = 1 << 1
"""Allow accesses that are not aligned (Linux 5.0)."""
BPF_F_TEST_RND_HI32: Final = 1 << 2
"""Fill the upper halves of registers with random bits, for tests (Linux 5.3)."""
BPF_F_TEST_STATE_FREQ: Final = 1 << 3
"""Let the verifier keep more states, for tests (Linux 5.4)."""
BPF_F_SLEEPABLE: Final = 1 << 4
"""The program may sleep (Linux 5.10)."""
BPF_F_XDP_HAS_FRAGS: Final = 1 << 5
"""The XDP program takes packets of several buffers (Linux 5.18)."""
BPF_F_XDP_DEV_BOUND_ONLY: Final = 1 << 6
"""The XDP program runs on one interface, but is not offloaded to it (Linux 6.3)."""
BPF_F_TEST_REG_INVARIANTS: Final = 1 << 7
"""Refuse a program where the verifier contradicts itself, for tests (Linux 6.8)."""

PROG_FLAGS: Final = {
    BPF_F_XDP_HAS_FRAGS: ("BPF_F_XDP_HAS_FRAGS", "5.18"),
    BPF_F_XDP_DEV_BOUND_ONLY: ("BPF_F_XDP_DEV_BOUND_ONLY", "6.3"),
    BPF_F_TEST_REG_INVARIANTS: ("BPF_F_TEST_REG_INVARIANTS", "6.8"),
}
"""Names of those that kernels with ``SEC("xdp")`` may lack, and the first that has each."""

# -- BPF_PROG_ATTACH, BPF_LINK_CREATE, BPF_LINK_UPDATE -------------------------

BPF_F_ALLOW_OVERRIDE: Final = 1 << 0
"""A program of a sub-cgroup takes the place of this one (Linux 4.10)."""
BPF_F_ALLOW_MULTI: Final = 1 << 1
"""Other programs may be attached to the cgroup too (Linux 4.15)."""
BPF_F_REPLACE: Final = 1 << 2
"""Only if the program (or map) in place is the one that is given."""
BPF_F_BEFORE: Final = 1 << 3
"""Before the relative, or first of all (tcx, netkit, cgroup)."""
BPF_F_AFTER: Final = 1 << 4
"""After the relative, or last of all."""
BPF_F_ID: Final = 1 << 5
"""The relative is given as an id."""
BPF_F_PREORDER: Final = 1 << 6
"""Run before the programs of sub-cgroups (Linux 6.15)."""

# -- BPF_LINK_CREATE: flags of a family ----------------------------------------

BPF_F_KPROBE_MULTI_RETURN: Final = 1 << 0
"""Run when the functions return (Linux 5.18)."""
BPF_F_UPROBE_MULTI_RETURN: Final = 1 << 0
"""Run when the functions return (Linux 6.6)."""
BPF_F_UPROBE_MULTI_PATH_FD: Final = 1 << 1
"""The file is given as an fd (Linux 7.2)."""
BPF_F_NETFILTER_IP_DEFRAG: Final = 1 << 0
"""See packets whose fragments are put together (Linux 6.6)."""

# -- BPF_PROG_QUERY, BPF_PROG_TEST_RUN, every command --------------------------

BPF_F_QUERY_EFFECTIVE: Final = 1 << 0
"""Programs of the ancestors count too (Linux 4.15)."""
BPF_F_TEST_RUN_ON_CPU: Final = 1 << 0
"""Run on the CPU that is given (Linux 5.10)."""
BPF_F_TEST_XDP_LIVE_FRAMES: Final = 1 << 1
"""Do with the packets what the program says (Linux 5.18)."""
BPF_F_TEST_SKB_CHECKSUM_COMPLETE: Final = 1 << 2
"""Check that the program keeps the packet's checksum right."""
BPF_COMMON_ATTRS: Final = 1 << 16
"""Beside the command: a second attribute with a log follows (Linux 7.2)."""

# -- XDP on an interface: links and netlink ------------------------------------

XDP_FLAGS_UPDATE_IF_NOEXIST: Final = 1 << 0
"""``EBUSY`` where a program is attached already."""
XDP_FLAGS_SKB_MODE: Final = 1 << 1
"""After the driver (generic)."""
XDP_FLAGS_DRV_MODE: Final = 1 << 2
"""In the driver (native)."""
XDP_FLAGS_HW_MODE: Final = 1 << 3
"""On the card (offload)."""
XDP_FLAGS_REPLACE: Final = 1 << 4
"""Only if the program in place is the one that is given (Linux 5.7)."""
