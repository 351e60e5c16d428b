"""The settings of this machine that decide over BPF, beside its kernel's features.

Read from ``/proc`` and ``/sys``, which tell it to every user; nothing is tried.
"""

from __future__ import annotations

import os

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.kernel import config as kconfig
from skelgen.runtime.kernel.btf import VMLINUX
from skelgen.runtime.syscalls import rights

if TYPE_CHECKING:
    from typing import Final

CAPABILITIES: Final = {
    "CAP_BPF": 39,
    "CAP_PERFMON": 38,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_SYSLOG": 34,
}
"""Bits of the capabilities that loading and attaching ask for."""

CONFIG: Final = (
    "CONFIG_BPF_SYSCALL",
    "CONFIG_BPF_JIT",
    "CONFIG_BPF_JIT_ALWAYS_ON",
    "CONFIG_BPF_UNPRIV_DEFAULT_OFF",
    "CONFIG_DEBUG_INFO_BTF",
    "CONFIG_DEBUG_INFO_BTF_MODULES",
    "CONFIG_BPF_EVENTS",
    "CONFIG_KPROBE_EVENTS",
    "CONFIG_UPROBE_EVENTS",
    "CONFIG_FTRACE_SYSCALLS",
    "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS",
    "CONFIG_FPROBE",
    "CONFIG_BPF_KPROBE_OVERRIDE",
    "CONFIG_BPF_LSM",
    "CONFIG_CGROUP_BPF",
    "CONFIG_NET_CLS_BPF",
    "CONFIG_NET_SCH_INGRESS",
    "CONFIG_NETKIT",
    "CONFIG_NETFILTER_BPF_LINK",
    "CONFIG_XDP_SOCKETS",
    "CONFIG_LWTUNNEL_BPF",
    "CONFIG_BPF_STREAM_PARSER",
    "CONFIG_BPF_LIRC_MODE2",
    "CONFIG_SCHED_CLASS_EXT",
    "CONFIG_HZ",
)
"""Options of the kernel that whole families of programs depend on."""


class System(Record):
    """The machine; ``None`` for what cannot be read."""

    release: str
    """As ``uname -r`` says."""
    machine: str
    """As ``uname -m`` says."""
    kernel_btf: bool
    """Whether ``/sys/kernel/btf/vmlinux`` is there, for CO-RE."""
    jit: int | None
    """sysctl ``net.core.bpf_jit_enable``: 0 off, 1 on, 2 on and printed."""
    jit_harden: int | None
    """sysctl ``net.core.bpf_jit_harden``: 0 off, 1 for unprivileged, 2 for all."""
    lockdown: str | None
    """``none``, ``integrity`` or ``confidentiality``."""
    unprivileged_bpf_disabled: int | None
    """The sysctl: 0 allowed, 1 disabled for good, 2 disabled."""
    perf_event_paranoid: int | None
    """The sysctl; 2 or more keeps kernel events from processes without rights."""
    kptr_restrict: int | None
    """The sysctl; 2 hides kernel addresses from everybody."""
    capabilities: tuple[str, ...] | None
    """Those of :data:`CAPABILITIES` that this process has."""
    seccomp: bool
    """Whether a filter looks at its system calls."""
    user_namespace: bool
    """Whether it is in a user namespace of its own, where capabilities are weak."""
    config: dict[str, str | None] | None
    """Options of :data:`CONFIG`: ``y``, ``m``, a value, ``None`` when not set."""


def read() -> System:
    """Return what is so now."""
    process = rights.read_process()
    uname = os.uname()
    held = process.capabilities
    return System(
        release=uname.release,
        machine=uname.machine,
        kernel_btf=os.path.exists(VMLINUX),
        jit=_sysctl("net/core/bpf_jit_enable"),
        jit_harden=_sysctl("net/core/bpf_jit_harden"),
        lockdown=process.lockdown,
        unprivileged_bpf_disabled=process.unprivileged_bpf_disabled,
        perf_event_paranoid=process.perf_event_paranoid,
        kptr_restrict=_sysctl("kernel/kptr_restrict"),
        capabilities=(
            None
            if held is None
            else tuple(name for name, bit in CAPABILITIES.items() if held >> bit & 1)
        ),
        seccomp=process.seccomp,
        user_namespace=process.user_namespace,
        config=kconfig.options(CONFIG),
    )


def _sysctl(path: str) -> int | None:
    try:
        with open(f"/proc/sys/{path}", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
