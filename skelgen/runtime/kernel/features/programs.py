"""Features of programs and of the command that loads them."""

from __future__ import annotations

import errno
import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, Command, ProgType
from skelgen.model.flags import BPF_COMMON_ATTRS
from skelgen.runtime import syscalls
from skelgen.runtime.errors import describe
from skelgen.runtime.kernel.features.feature import UNCLEAR, Feature, Unclear
from skelgen.runtime.kernel.features.trial import EXIT, RETURN_0, call_insn, loads, regs
from skelgen.runtime.syscalls.numbers import NR_BPF

if TYPE_CHECKING:
    from typing import Final


def _prog_name(token_fd: int) -> bool:
    """Commit cb4d2b3f03d8 ("bpf: Add name, load_time, uid ... to prog")."""
    return loads(RETURN_0, token_fd, name="skelgen_probe")


PROG_NAME: Final = Feature("names of programs and maps", "4.15", _prog_name)


def _expected_attach_type(token_fd: int) -> bool:
    """Commit 5e43f899b03a ("bpf: Check attach type at prog load time")."""
    return loads(
        RETURN_0,
        token_fd,
        ProgType.CGROUP_SOCK,
        attach_type=AttachType.CGROUP_INET_SOCK_CREATE,
    )


EXPECTED_ATTACH_TYPE: Final = Feature(
    "expected attach type at load", "4.17", _expected_attach_type
)


def _probe_read_kernel(token_fd: int) -> bool:
    """Commit 6ae08ae3dea2 ("bpf: Add probe_read_{user, kernel} ... helpers")."""
    arguments = (
        struct.pack("=BBhi", 0xBF, regs(1, 10), 0, 0)  # r1 = r10
        + struct.pack("=BBhi", 0x07, regs(1, 0), 0, -8)  # r1 += -8
        + struct.pack("=BBhi", 0xB7, regs(2, 0), 0, 8)  # r2 = 8
        + struct.pack("=BBhi", 0xB7, regs(3, 0), 0, 0)  # r3 = 0
    )
    return loads(arguments + call_insn(113) + EXIT, token_fd, ProgType.TRACEPOINT)


PROBE_READ_KERNEL: Final = Feature(
    "helper bpf_probe_read_kernel", "5.5", _probe_read_kernel
)


def _memcg_account(token_fd: int) -> bool:
    """Try helper bpf_ktime_get_coarse_ns, which came with it."""
    return loads(call_insn(160) + EXIT, token_fd)


MEMCG_ACCOUNT: Final = Feature(
    "accounting of BPF memory by control group", "5.11", _memcg_account
)


_COMMON_ATTRS_SIZE: Final = 20


def _common_attrs(_token_fd: int) -> bool:
    """Give a command its second argument, for the log of more than programs."""
    command = Command.PROG_LOAD | BPF_COMMON_ATTRS
    attr = bytearray(8)
    address = syscalls.Memory().write(attr)
    # a program without instructions is never taken
    _, error = syscalls.syscall(
        NR_BPF, command, address, len(attr), 0, _COMMON_ATTRS_SIZE
    )
    if error in UNCLEAR:
        raise Unclear(describe(error))
    return error == errno.EFAULT  # it wanted to read the argument, which is nowhere


COMMON_ATTRS: Final = Feature("logs of all BPF commands", "7.2", _common_attrs)
