"""The trials behind :mod:`skelgen.runtime.features`.

Each makes the smallest object that needs the feature and looks how the kernel takes
it. ``token_fd`` is a BPF token to make it with, or 0.
"""

import errno
import struct
from typing import Final

from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.syscalls.numbers import MACHINE

# errnos that say nothing about the feature
_UNCLEAR: Final = frozenset(
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
_EXIT: Final = struct.pack("=BBhi", 0x95, 0, 0, 0)
_RETURN_0: Final = _R0_IS_0 + _EXIT


def _call(helper: int) -> bytes:
    return struct.pack("=BBhi", 0x85, 0, 0, helper)


def _regs(dst: int, src: int) -> int:
    """Return the register byte, whose nibbles swap with the byte order."""
    little = struct.pack("=H", 1)[0] == 1
    return src << 4 | dst if little else dst << 4 | src


def _no(error: BpfOSError) -> bool | None:
    return None if error.errno in _UNCLEAR else False


def _program(
    insns: bytes,
    token_fd: int,
    prog_type: int = ProgType.SOCKET_FILTER,
    *,
    name: str = "",
    attach_type: int = 0,
) -> bool | None:
    try:
        fd = syscalls.prog_load(
            type=prog_type,
            insns=insns,
            license="GPL",
            name=name,
            attach_type=attach_type,
            token_fd=token_fd,
        )
    except BpfOSError as error:
        return _no(error)
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
    return _program(_RETURN_0, token_fd, name="skelgen_probe")


def global_data(token_fd: int) -> bool | None:
    """5.2, commit d8eca5bbb2be ("bpf: implement lookup-free direct value access")."""
    try:
        fd = _array(token_fd)
    except BpfOSError:
        return None
    with syscalls.Fd(fd):
        load = struct.pack("=BBhiBBhi", 0x18, _regs(1, 2), 0, fd, 0, 0, 0, 0)
        return _program(load + _RETURN_0, token_fd)


def array_mmap(token_fd: int) -> bool | None:
    """5.5, commit fc9702273e2e ("bpf: Add mmap() support for BPF_MAP_TYPE_ARRAY")."""
    try:
        fd = _array(token_fd, flags=_F_MMAPABLE)
    except BpfOSError as error:
        return _no(error)
    syscalls.close(fd)
    return True


def expected_attach_type(token_fd: int) -> bool | None:
    """4.17, commit 5e43f899b03a ("bpf: Check attach type at prog load time")."""
    return _program(
        _RETURN_0,
        token_fd,
        ProgType.CGROUP_SOCK,
        attach_type=AttachType.CGROUP_INET_SOCK_CREATE,
    )


def probe_read_kernel(token_fd: int) -> bool | None:
    """5.5, commit 6ae08ae3dea2 ("bpf: Add probe_read_{user, kernel} ... helpers")."""
    arguments = (
        struct.pack("=BBhi", 0xBF, _regs(1, 10), 0, 0)  # r1 = r10
        + struct.pack("=BBhi", 0x07, _regs(1, 0), 0, -8)  # r1 += -8
        + struct.pack("=BBhi", 0xB7, _regs(2, 0), 0, 8)  # r2 = 8
        + struct.pack("=BBhi", 0xB7, _regs(3, 0), 0, 0)  # r3 = 0
    )
    return _program(arguments + _call(113) + _EXIT, token_fd, ProgType.TRACEPOINT)


def prog_bind_map(token_fd: int) -> bool | None:
    """5.10, commit ef15314aa5de ("bpf: Add BPF_PROG_BIND_MAP syscall")."""
    try:
        with syscalls.Fd(_array(token_fd)) as array:
            prog = syscalls.prog_load(
                type=ProgType.SOCKET_FILTER,
                insns=_RETURN_0,
                license="GPL",
                token_fd=token_fd,
            )
            with syscalls.Fd(prog):
                syscalls.prog_bind_map(prog, array.fileno())
    except BpfOSError as error:
        return _no(error)
    return True


def memcg_account(token_fd: int) -> bool | None:
    """5.11: came with helper bpf_ktime_get_coarse_ns, which can be tried."""
    return _program(_call(160) + _EXIT, token_fd)


def bpf_cookie(token_fd: int) -> bool | None:
    """5.15, commit 7adfc6c9b315 ("bpf: Add bpf_get_attach_cookie() BPF helper")."""
    return _program(_call(174) + _EXIT, token_fd, ProgType.TRACEPOINT)


# -- BTF -----------------------------------------------------------------------

_STRINGS: Final = b"\0int\0x\0.data\0?.data\0"
_NAME_INT: Final = 1
_NAME_X: Final = 5
_NAME_DATA: Final = 7
_NAME_QMARK: Final = 13
_INT: Final = (_NAME_INT, 1 << 24, 4, 1 << 24 | 32)  # [1] int, signed


def _info(kind: int, vlen: int = 0) -> int:
    return kind << 24 | vlen


def _btf(token_fd: int, *types: int) -> bool | None:
    try:
        fd = _load_btf(token_fd, *types)
    except BpfOSError as error:
        return _no(error)
    syscalls.close(fd)
    return True


def _load_btf(token_fd: int, *types: int) -> int:
    body = struct.pack(f"={len(types)}I", *(number & 0xFFFFFFFF for number in types))
    head = struct.pack(
        "=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(body), len(body), len(_STRINGS)
    )
    return syscalls.btf_load(head + body + _STRINGS, token_fd=token_fd)


def btf(token_fd: int) -> bool | None:
    """4.18, commit 69b693f0aefa ("bpf: btf: Introduce BPF Type Format (BTF)")."""
    return _btf(token_fd, *_INT)


def _func(token_fd: int, linkage: int) -> bool | None:
    proto = (0, _info(13, 1), 0, _NAME_X, 1)  # [2] void (*)(int x)
    return _btf(token_fd, *_INT, *proto, _NAME_X, _info(12, linkage), 2)


def btf_func(token_fd: int) -> bool | None:
    """5.0, commit 2667a2626f4d ("bpf: btf: Add BTF_KIND_FUNC ...")."""
    return _func(token_fd, 0)


def btf_global_func(token_fd: int) -> bool | None:
    """5.6, commit 51c39bb1d5d1 ("bpf: Introduce function-by-function verification")."""
    return _func(token_fd, 1)


def _datasec(token_fd: int, name: int) -> bool | None:
    variable = (_NAME_X, _info(14), 1, 0)  # [2] static int x
    return _btf(token_fd, *_INT, *variable, name, _info(15, 1), 4, 2, 0, 4)


def btf_datasec(token_fd: int) -> bool | None:
    """5.2, commit f063c889c9e4 ("bpf: kernel side support for BTF Var and DataSec")."""
    return _datasec(token_fd, _NAME_DATA)


def btf_qmark_datasec(token_fd: int) -> bool | None:
    """6.9, commit bd70a8fb7ca4 ("bpf: Allow all printable characters in ... name")."""
    return _datasec(token_fd, _NAME_QMARK)


def btf_float(token_fd: int) -> bool | None:
    """5.13, commit b1828f0b0482 ("bpf: Add BTF_KIND_FLOAT support")."""
    return _btf(token_fd, _NAME_X, _info(16), 4)


def btf_decl_tag(token_fd: int) -> bool | None:
    """5.16, commit b5ea834dde6b ("bpf: Support for new btf kind BTF_KIND_TAG")."""
    variable = (_NAME_X, _info(14), 1, 0)
    return _btf(token_fd, *_INT, *variable, _NAME_X, _info(17), 2, -1)


def btf_type_tag(token_fd: int) -> bool | None:
    """5.17, commit 8c42d2fa4eeb ("bpf: Support BTF_KIND_TYPE_TAG ...")."""
    return _btf(token_fd, *_INT, _NAME_X, _info(18), 1, 0, _info(2), 2)


def btf_enum64(token_fd: int) -> bool | None:
    """6.0, commit 6089fb325cf7 ("bpf: Add btf enum64 support")."""
    return _btf(token_fd, _NAME_X, _info(19), 8)


def module_btf(token_fd: int) -> bool | None:
    """5.11, commit 5329722057d4 ("bpf: Assign ID to vmlinux BTF and return extra")."""
    try:
        with syscalls.Fd(_load_btf(token_fd, *_INT)) as fd:
            syscalls.btf_info(fd.fileno())
    except BpfOSError as error:
        return _no(error)
    return True


# -- links ---------------------------------------------------------------------


def _link_errno(prog_type: int, attach_type: int, tails: list[bytes]) -> list[int]:
    """Return the errno of each of some links that cannot be made."""
    prog = syscalls.prog_load(
        type=prog_type,
        insns=_RETURN_0,
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
        syscalls.link_create(0xFFFFFFFF, 0, AttachType.CGROUP_INET_INGRESS)
    except BpfOSError as error:
        if error.errno in _UNCLEAR:
            return None
        return error.errno == errno.EBADF  # it looked for the program
    return True


def tcx(token_fd: int) -> bool | None:
    """6.6, commit e420bed02507 ("bpf: Add fd-based tcx multi-prog infra ...")."""
    try:
        prog = syscalls.prog_load(
            type=ProgType.SCHED_CLS, insns=_RETURN_0, license="GPL", token_fd=token_fd
        )
        with syscalls.Fd(prog):
            # an interface of that index cannot be: ENODEV where the hook is known
            syscalls.link_create(prog, 0x7FFFFFFF, AttachType.TCX_INGRESS)
    except BpfOSError as error:
        return True if error.errno == errno.ENODEV else _no(error)
    return None


def perf_link(token_fd: int) -> bool | None:  # noqa: ARG001 (attaching knows no token)
    """5.15, commit b89fbfbb854c ("bpf: Implement minimal BPF perf link")."""
    try:
        (error,) = _link_errno(ProgType.TRACEPOINT, AttachType.PERF_EVENT, [b""])
    except BpfOSError as failed:
        return _no(failed)
    if error in _UNCLEAR:
        return None
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
        return _no(failed)
    if errno.EPERM in errnos:
        return None
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
