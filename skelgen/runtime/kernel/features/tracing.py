"""Features of kprobes and uprobes."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls
from skelgen.runtime.kernel import symbols
from skelgen.runtime.kernel.features.feature import Feature
from skelgen.runtime.kernel.pmu import pmu_number
from skelgen.runtime.syscalls.numbers import MACHINE

if TYPE_CHECKING:
    from typing import Final


def _kprobe_pmu(_token_fd: int) -> bool:
    """Commit e12f03d7031a ("perf/core: Implement the 'perf_kprobe' PMU")."""
    return pmu_number("kprobe", "type") is not None


KPROBE_PMU: Final = Feature("kprobes through perf_event_open", "4.17", _kprobe_pmu)


def _uprobe_pmu(_token_fd: int) -> bool:
    """Commit 33ea4b24277b ("perf/core: Implement the 'perf_uprobe' PMU")."""
    return pmu_number("uprobe", "type") is not None


UPROBE_PMU: Final = Feature("uprobes through perf_event_open", "4.17", _uprobe_pmu)


def _syscall_wrapper(_token_fd: int) -> bool | None:
    """On x86, commit fa697140f9a2 ("syscalls/x86: Use 'struct pt_regs' ...")."""
    if symbols.SYSCALL_PREFIX is None:
        return False
    name = f"__{symbols.SYSCALL_PREFIX}_sys_bpf".encode()
    # kernel BTF first: the kernel takes 60 ms to write kallsyms, 3 ms for its BTF
    if b"\0" + name + b"\0" in _vmlinux_btf():
        return True
    try:
        table = symbols.table()
    except OSError:
        return None
    return b" " + name + b"\n" in table if table else None


def _vmlinux_btf() -> bytes:
    try:
        with open("/sys/kernel/btf/vmlinux", "rb") as file:
            return file.read()
    except OSError:
        return b""


SYSCALL_WRAPPER: Final = Feature(
    "wrappers around system calls", "4.17", _syscall_wrapper
)


_NR_UPROBE: Final = 336  # x86-64 alone


def _uprobe_syscall(_token_fd: int) -> bool:
    """On x86-64, commit 56101b69c919 ("uprobes/x86: Add uprobe syscall ...").

    From elsewhere than a trampoline of the kernel it says ``ENXIO``, from 7.1 on
    ``EPROTO``.
    """
    if MACHINE != "x86_64":
        return False
    return syscalls.syscall(_NR_UPROBE)[1] in {errno.ENXIO, errno.EPROTO}


UPROBE_SYSCALL: Final = Feature("fast uprobes", "6.18", _uprobe_syscall)
"""The kernel makes a uprobe on a ``nop`` of 5 bytes cheap by itself."""
