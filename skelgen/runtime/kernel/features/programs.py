"""The trials behind :mod:`skelgen.runtime.kernel.features`.

Each makes the smallest object that needs the feature and looks how the kernel takes
it. ``token_fd`` is a BPF token to make it with, or 0. What cannot be told is ``None``
or :class:`Unclear`, which says why.
"""

from __future__ import annotations

import errno
import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, Command, MapType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, describe
from skelgen.runtime.syscalls.numbers import MACHINE, NR_BPF

if TYPE_CHECKING:
    from typing import Any, Final

# errnos that say nothing about the feature
UNCLEAR: Final = frozenset(
    (
        errno.EPERM,
        errno.ENOMEM,
        errno.EMFILE,
        errno.ENFILE,
        errno.EAGAIN,
        errno.EINTR,
    )
)

_F_MMAPABLE: Final = 1 << 10
_R0_IS_0: Final = struct.pack("=BBhi", 0xB7, 0, 0, 0)
EXIT: Final = struct.pack("=BBhi", 0x95, 0, 0, 0)
RETURN_0: Final = _R0_IS_0 + EXIT


class Unclear(Exception):  # noqa: N818 - an outcome, for the one caller
    """The kernel refused for a reason that has nothing to do with the feature."""


def call_insn(helper: int) -> bytes:
    """Return the call of a helper."""
    return struct.pack("=BBhi", 0x85, 0, 0, helper)


def regs(dst: int, src: int) -> int:
    """Return the register byte, whose nibbles swap with the byte order."""
    little = struct.pack("=H", 1)[0] == 1
    return src << 4 | dst if little else dst << 4 | src


def no(error: BpfOSError) -> bool:
    """Return False for an errno that means it. Raises :class:`Unclear`."""
    if error.errno in UNCLEAR:
        raise Unclear(str(error.strerror)) from error
    return False


def program(
    insns: bytes,
    token_fd: int,
    prog_type: int = ProgType.SOCKET_FILTER,
    **more: Any,  # noqa: ANN401 - arguments of syscalls.prog_load
) -> bool | None:
    """Try to load a program; ``more`` goes to :func:`syscalls.prog_load`."""
    try:
        fd = syscalls.prog_load(
            type=prog_type, insns=insns, license="GPL", token_fd=token_fd, **more
        )
    except BpfOSError as error:
        return no(error)
    syscalls.close(fd)
    return True


def _array(token_fd: int, value_size: int = 32, flags: int = 0) -> int:
    return syscalls.map_create(
        type=MapType.ARRAY,
        key_size=4,
        value_size=value_size,
        max_entries=1,
        flags=flags,
        token_fd=token_fd,
    )


# -- programs and maps ---------------------------------------------------------


def prog_name(token_fd: int) -> bool | None:
    """4.15, commit cb4d2b3f03d8 ("bpf: Add name, load_time, uid ... to prog")."""
    return program(RETURN_0, token_fd, name="skelgen_probe")


def global_data(token_fd: int) -> bool | None:
    """5.2, commit d8eca5bbb2be ("bpf: implement lookup-free direct value access")."""
    try:
        fd = _array(token_fd)
    except BpfOSError as error:
        raise Unclear(str(error)) from error
    with syscalls.Fd(fd):
        load = struct.pack("=BBhiBBhi", 0x18, regs(1, 2), 0, fd, 0, 0, 0, 0)
        return program(load + RETURN_0, token_fd)


def array_mmap(token_fd: int) -> bool | None:
    """5.5, commit fc9702273e2e ("bpf: Add mmap() support for BPF_MAP_TYPE_ARRAY")."""
    try:
        fd = _array(token_fd, flags=_F_MMAPABLE)
    except BpfOSError as error:
        return no(error)
    syscalls.close(fd)
    return True


def expected_attach_type(token_fd: int) -> bool | None:
    """4.17, commit 5e43f899b03a ("bpf: Check attach type at prog load time")."""
    return program(
        RETURN_0,
        token_fd,
        ProgType.CGROUP_SOCK,
        attach_type=AttachType.CGROUP_INET_SOCK_CREATE,
    )


def probe_read_kernel(token_fd: int) -> bool | None:
    """5.5, commit 6ae08ae3dea2 ("bpf: Add probe_read_{user, kernel} ... helpers")."""
    arguments = (
        struct.pack("=BBhi", 0xBF, regs(1, 10), 0, 0)  # r1 = r10
        + struct.pack("=BBhi", 0x07, regs(1, 0), 0, -8)  # r1 += -8
        + struct.pack("=BBhi", 0xB7, regs(2, 0), 0, 8)  # r2 = 8
        + struct.pack("=BBhi", 0xB7, regs(3, 0), 0, 0)  # r3 = 0
    )
    return program(arguments + call_insn(113) + EXIT, token_fd, ProgType.TRACEPOINT)


def prog_bind_map(token_fd: int) -> bool | None:
    """5.10, commit ef15314aa5de ("bpf: Add BPF_PROG_BIND_MAP syscall")."""
    try:
        with syscalls.Fd(_array(token_fd)) as array:
            prog = syscalls.prog_load(
                type=ProgType.SOCKET_FILTER,
                insns=RETURN_0,
                license="GPL",
                token_fd=token_fd,
            )
            with syscalls.Fd(prog):
                syscalls.prog_bind_map(prog, array.fileno())
    except BpfOSError as error:
        return no(error)
    return True


def memcg_account(token_fd: int) -> bool | None:
    """5.11: came with helper bpf_ktime_get_coarse_ns, which can be tried."""
    return program(call_insn(160) + EXIT, token_fd)


def bpf_cookie(token_fd: int) -> bool | None:
    """5.15, commit 7adfc6c9b315 ("bpf: Add bpf_get_attach_cookie() BPF helper")."""
    return program(call_insn(174) + EXIT, token_fd, ProgType.TRACEPOINT)


_F_COMMON_ATTRS: Final = 1 << 16
_COMMON_ATTRS_SIZE: Final = 20


def common_attrs(token_fd: int) -> bool | None:  # noqa: ARG001 (nothing is made)
    """7.2: a second argument to every command, for the log of more than programs."""
    command = Command.PROG_LOAD | _F_COMMON_ATTRS
    attr = bytearray(8)
    address = syscalls.Memory().write(attr)
    # a program without instructions is never taken
    _, error = syscalls.syscall(
        NR_BPF, command, address, len(attr), 0, _COMMON_ATTRS_SIZE
    )
    if error in UNCLEAR:
        raise Unclear(describe(error))
    return error == errno.EFAULT  # it wanted to read the argument, which is nowhere


def ldimm64_full_range(token_fd: int) -> bool | None:
    """7.0, commit 12a1fe6e12db ("bpf/verifier: Do not limit maximum direct offset ...").

    No array is so large: what matters is which check says so.
    """
    log = bytearray(1 << 12)
    try:
        with syscalls.Fd(_array(token_fd)) as array:
            load = struct.pack(
                "=BBhiBBhi", 0x18, regs(1, 2), 0, array.fileno(), 0, 0, 0, 1 << 30
            )
            syscalls.close(
                syscalls.prog_load(
                    type=ProgType.SOCKET_FILTER,
                    insns=load + RETURN_0,
                    license="GPL",
                    log_level=1,
                    log_buf=log,
                    token_fd=token_fd,
                )
            )
    except BpfOSError as error:
        error.__traceback__ = None  # it keeps the log's buffer
        if b"invalid access to map value pointer" in log:
            return True
        if b"direct value offset of" in log:
            return False
        return no(error)
    return None


# -- links ---------------------------------------------------------------------


def _link_errno(prog_type: int, attach_type: int, tails: list[bytes]) -> list[int]:
    """Return the errno of each of some links that cannot be made."""
    prog = syscalls.prog_load(
        type=prog_type,
        insns=RETURN_0,
        license="GPL",
        attach_type=0 if attach_type == AttachType.PERF_EVENT else attach_type,
    )
    errnos: list[int] = []
    with syscalls.Fd(prog):
        for tail in tails:
            try:
                fd = syscalls.link_create(prog, 0xFFFFFFFF, attach_type, tail=tail)
            except BpfOSError as error:
                errnos.append(error.errno or 0)
            else:
                syscalls.close(fd)
                errnos.append(0)
    return errnos


def link_create(token_fd: int) -> bool | None:  # noqa: ARG001 (knows no token)
    """5.7, commit af6eea57437a ("bpf: Implement bpf_link-based cgroup ... attach")."""
    try:
        syscalls.close(
            syscalls.link_create(0xFFFFFFFF, 0, AttachType.CGROUP_INET_INGRESS)
        )
    except BpfOSError as error:
        return error.errno == errno.EBADF or no(error)  # it looked for the program
    return True


def tcx(token_fd: int) -> bool | None:
    """6.6, commit e420bed02507 ("bpf: Add fd-based tcx multi-prog infra ...")."""
    try:
        prog = syscalls.prog_load(
            type=ProgType.SCHED_CLS, insns=RETURN_0, license="GPL", token_fd=token_fd
        )
        with syscalls.Fd(prog):
            # an interface of that index cannot be: ENODEV where the hook is known
            link = syscalls.link_create(prog, 0x7FFFFFFF, AttachType.TCX_INGRESS)
            syscalls.close(link)
    except BpfOSError as error:
        return True if error.errno == errno.ENODEV else no(error)
    return None


def perf_link(token_fd: int) -> bool | None:  # noqa: ARG001 (attaching knows no token)
    """5.15, commit b89fbfbb854c ("bpf: Implement minimal BPF perf link")."""
    try:
        (error,) = _link_errno(ProgType.TRACEPOINT, AttachType.PERF_EVENT, [b""])
    except BpfOSError as failed:
        return no(failed)
    if error in UNCLEAR:
        raise Unclear(describe(error))
    return error == errno.EBADF  # it looked for the perf event


def uprobe_multi_link(token_fd: int) -> bool | None:  # noqa: ARG001 (as above)
    """6.6, commit 89ae89f53d20 ("bpf: Add multi uprobe link").

    Filtering by process is right since 46ba0e49b642 ("bpf: fix multi-uprobe PID
    filtering logic", 6.10), which checks the pid before the path.
    """
    memory = syscalls.Memory()
    root = memory.text("/")
    offset = memory.read(bytes(8))
    first = struct.pack("=QQQQIII", root, offset, 0, 0, 1, 0, 0)
    second = struct.pack("=QQQQIII", root, offset, 0, 0, 1, 0, 0xFFFFFFFF)
    multi = AttachType.TRACE_UPROBE_MULTI
    try:
        errnos = _link_errno(ProgType.KPROBE, multi, [first, second])
    except BpfOSError as failed:
        return no(failed)
    if errno.EPERM in errnos:
        raise Unclear(describe(errno.EPERM))
    return errnos == [errno.EBADF, errno.EINVAL]


def _pmu(name: str) -> bool:
    return pmu_number(name, "type") is not None


def kprobe_pmu(token_fd: int) -> bool | None:  # noqa: ARG001 (nothing is made)
    """4.17, commit e12f03d7031a ("perf/core: Implement the 'perf_kprobe' PMU")."""
    return _pmu("kprobe")


def uprobe_pmu(token_fd: int) -> bool | None:  # noqa: ARG001 (nothing is made)
    """4.17, commit 33ea4b24277b ("perf/core: Implement the 'perf_uprobe' PMU")."""
    return _pmu("uprobe")


def pmu_number(pmu: str, attribute: str) -> int | None:
    """Return a number that sysfs tells of a PMU, ``None`` when it does not.

    ``config:32-63`` gives 32, the lowest bit of the field.
    """
    path = f"/sys/bus/event_source/devices/{pmu}/{attribute}"
    try:
        with open(path, encoding="ascii") as file:
            text = file.read().strip()
    except OSError:
        return None
    digits = text.rpartition(":")[2].partition("-")[0]
    return int(digits) if digits.isdigit() else None


_NR_UPROBE: Final = 336  # x86-64 alone


def uprobe_syscall(token_fd: int) -> bool | None:  # noqa: ARG001 (nothing is made)
    """6.18 (x86-64), commit 56101b69c919 ("uprobes/x86: Add uprobe syscall ...").

    From elsewhere than a trampoline of the kernel it says ``ENXIO``.
    """
    if MACHINE != "x86_64":
        return False
    return syscalls.syscall(_NR_UPROBE)[1] == errno.ENXIO


SYSCALL_PREFIX: Final = {
    "x86_64": "x64",
    "aarch64": "arm64",
    "riscv64": "riscv",
    "s390x": "s390x",
}.get(MACHINE)
"""What stands before ``_sys_`` in the name of a system call's wrapper."""


def syscall_wrapper(token_fd: int) -> bool | None:  # noqa: ARG001 (nothing is made)
    """4.17 (x86), commit fa697140f9a2 ("syscalls/x86: Use 'struct pt_regs' ...")."""
    if SYSCALL_PREFIX is None:
        return False
    name = f"__{SYSCALL_PREFIX}_sys_bpf".encode()
    # kernel BTF first: the kernel takes 60 ms to write kallsyms, 3 ms for its BTF
    if b"\0" + name + b"\0" in _read("/sys/kernel/btf/vmlinux"):
        return True
    symbols = _read("/proc/kallsyms")
    return b" " + name + b"\n" in symbols if symbols else None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
