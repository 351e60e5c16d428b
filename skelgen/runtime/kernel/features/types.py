"""Trials of map types, program types and attach types, for ``features``.

Each asks the kernel for the least that needs the type, or for something that cannot
be in a way that only a kernel which knows the type takes the trouble to refuse.
"""

from __future__ import annotations

import errno
import mmap
import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import ENOTSUPP, BpfOSError
from skelgen.runtime.kernel.features import programs as probes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

_F_NO_PREALLOC: Final = 1 << 0
_F_MMAPABLE: Final = 1 << 10
_F_SLEEPABLE: Final = 1 << 4
_LOG_SIZE: Final = 1 << 16
_NO_FD: Final = 0x7FFFFFFF
"""An fd and an interface that cannot be: beyond any limit."""

Verdict = tuple[bool | None, str]
"""Whether it is there, ``None`` when it cannot be told; what the kernel said."""


def verdict(error: BpfOSError) -> Verdict:
    """Return what a refusal says: ``None`` where it is not about the feature."""
    return (None if error.errno in probes.UNCLEAR else False), str(error.strerror)


# -- map types -----------------------------------------------------------------

_STORAGE: Final = frozenset(
    (
        MapType.SK_STORAGE,
        MapType.INODE_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
    )
)
_OF_MAPS: Final = frozenset((MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS))

# key size, value size, entries, flags; what is not here is made of numbers
_SHAPES: Final[dict[int, tuple[int, int, int, int]]] = {
    MapType.STACK_TRACE: (4, 8, 1, 0),
    MapType.LPM_TRIE: (8, 8, 1, _F_NO_PREALLOC),
    MapType.CGROUP_STORAGE: (16, 8, 0, 0),
    MapType.PERCPU_CGROUP_STORAGE: (16, 8, 0, 0),
    MapType.QUEUE: (0, 4, 1, 0),
    MapType.STACK: (0, 4, 1, 0),
    MapType.BLOOM_FILTER: (0, 4, 1, 0),
    MapType.RINGBUF: (0, 0, mmap.PAGESIZE, 0),
    MapType.USER_RINGBUF: (0, 0, mmap.PAGESIZE, 0),
    MapType.ARENA: (0, 0, 1, _F_MMAPABLE),
    MapType.INSN_ARRAY: (4, 16, 1, 0),
    MapType.RHASH: (4, 4, 1, _F_NO_PREALLOC),
}


def map_type(number: int) -> Verdict:
    """Try to make a map."""
    key, value, entries, flags = _SHAPES.get(number, (4, 4, 1, 0))
    try:
        if number in _OF_MAPS:
            with syscalls.Fd(_map(MapType.HASH, 4, 4, 1)) as inner:
                fd = _map(number, 4, 4, 1, inner_map_fd=inner.fileno())
        elif number in _STORAGE:
            # the fd of its BTF is looked at when the rest is right
            fd = _map(number, 4, 4, 0, flags=_F_NO_PREALLOC, btf_fd=_NO_FD)
        elif number == MapType.STRUCT_OPS:
            fd = _map(number, 4, 4, 1, kernel_type=1)
        else:
            fd = _map(number, key, value, entries, flags=flags)
    except BpfOSError as error:
        known = (number in _STORAGE and error.errno == errno.EBADF) or (
            number == MapType.STRUCT_OPS and error.errno == ENOTSUPP
        )
        return (True, "") if known else verdict(error)
    syscalls.close(fd)
    return True, ""


def _map(
    number: int,
    key: int,
    value: int,
    entries: int,
    *,
    flags: int = 0,
    inner_map_fd: int = 0,
    btf_fd: int = 0,
    kernel_type: int = 0,
) -> int:
    return syscalls.map_create(
        type=number,
        key_size=key,
        value_size=value,
        max_entries=entries,
        flags=flags,
        inner_map_fd=inner_map_fd,
        btf_fd=btf_fd,
        btf_key_type_id=1 if btf_fd else 0,
        btf_value_type_id=1 if btf_fd else 0,
        btf_vmlinux_value_type_id=kernel_type,
    )


# -- program types -------------------------------------------------------------

_ATTACH_TYPE: Final[dict[int, int]] = {
    ProgType.CGROUP_SOCK_ADDR: AttachType.CGROUP_INET4_CONNECT,
    ProgType.CGROUP_SOCKOPT: AttachType.CGROUP_GETSOCKOPT,
    ProgType.LIRC_MODE2: AttachType.LIRC_MODE2,
    ProgType.TRACING: AttachType.TRACE_RAW_TP,
    ProgType.LSM: AttachType.LSM_MAC,
    ProgType.SK_LOOKUP: AttachType.SK_LOOKUP,
    ProgType.NETFILTER: AttachType.NETFILTER,
}
# that BTF type 1, a number, is nothing to attach to is the verifier's word
_WITH_TARGET: Final = frozenset((ProgType.TRACING, ProgType.LSM, ProgType.EXT))
_TARGET_REFUSED: Final = ("attach_btf_id 1 is not a", "Cannot replace kernel functions")


class Trial:
    """A program that was tried, with what the verifier said of it."""

    __slots__ = ("error", "log")

    def __init__(
        self,
        prog_type: int,
        insns: bytes,
        *,
        attach_type: int | None = None,
        attach_btf_id: int = 0,
        fd_array: tuple[int, ...] = (),
    ) -> None:
        self.error: BpfOSError | None = None
        """Why it was refused."""
        log = bytearray(_LOG_SIZE)
        if attach_type is None:
            attach_type = _ATTACH_TYPE.get(prog_type, 0)
        version = 0
        if prog_type == ProgType.KPROBE:
            from skelgen.runtime.kernel.config import kernel_version

            version = kernel_version()
        try:
            fd = syscalls.prog_load(
                type=prog_type,
                insns=insns,
                license="GPL",
                attach_type=attach_type,
                flags=_F_SLEEPABLE if prog_type == ProgType.SYSCALL else 0,
                kern_version=version,
                attach_btf_id=attach_btf_id,
                fd_array=fd_array,
                log_level=1,
                log_buf=log,
            )
        except BpfOSError as error:
            error.__traceback__ = None  # it keeps the log's buffer
            self.error = error
        else:
            syscalls.close(fd)
        self.log: str = bytes(log).split(b"\0", 1)[0].decode(errors="replace")
        """The verifier's; empty when the kernel said no before."""


def prog_type(number: int) -> Verdict:
    """Try to load a program that returns 0."""
    trial = Trial(number, probes.RETURN_0, attach_btf_id=int(number in _WITH_TARGET))
    error = trial.error
    if error is None:
        return True, ""
    if number in _WITH_TARGET and any(text in trial.log for text in _TARGET_REFUSED):
        return True, ""
    if number == ProgType.STRUCT_OPS and error.errno == ENOTSUPP:
        return True, ""
    return verdict(error)


# -- attach types --------------------------------------------------------------

_TRACING: Final = frozenset(
    (
        AttachType.TRACE_RAW_TP,
        AttachType.TRACE_FENTRY,
        AttachType.TRACE_FEXIT,
        AttachType.MODIFY_RETURN,
        AttachType.TRACE_ITER,
        AttachType.TRACE_FSESSION,
        AttachType.TRACE_FENTRY_MULTI,
        AttachType.TRACE_FEXIT_MULTI,
        AttachType.TRACE_FSESSION_MULTI,
    )
)
_REUSEPORT: Final = frozenset(
    (AttachType.SK_REUSEPORT_SELECT, AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE)
)
_SOCKMAP: Final[dict[int, int]] = {
    AttachType.SK_SKB_STREAM_PARSER: ProgType.SK_SKB,
    AttachType.SK_SKB_STREAM_VERDICT: ProgType.SK_SKB,
    AttachType.SK_SKB_VERDICT: ProgType.SK_SKB,
    AttachType.SK_MSG_VERDICT: ProgType.SK_MSG,
}
# value with a program beside the number: since then it runs programs
_IN_MAPS: Final[dict[int, int]] = {
    AttachType.XDP_DEVMAP: MapType.DEVMAP,
    AttachType.XDP_CPUMAP: MapType.CPUMAP,
}
_LO: Final = 1
"""Index of the loopback interface, in every network namespace."""
_XDP_NATIVE: Final = 1 << 2


def attach_type(number: int) -> Verdict:  # noqa: PLR0911 - a way a family
    """Try to attach to, or to ask about, something that is not there."""
    if number in _TRACING or number == AttachType.LSM_MAC:
        return _btf_target(number)
    if number in _REUSEPORT:
        trial = Trial(ProgType.SK_REUSEPORT, probes.RETURN_0, attach_type=number)
        return (True, "") if trial.error is None else verdict(trial.error)
    if number in _IN_MAPS:
        try:
            syscalls.close(_map(_IN_MAPS[number], 4, 8, 1))
        except BpfOSError as error:
            return verdict(error)
        return True, ""
    if number in _SOCKMAP:
        return _with_program(
            _SOCKMAP[number],
            0,
            lambda fd: syscalls.prog_attach(fd, _NO_FD, number),
            errno.EBADF,
        )
    link = _LINKS.get(number)
    if link is not None:
        return link()
    try:
        syscalls.prog_query(_NO_FD, number)
    except BpfOSError as error:
        # no such cgroup, namespace or interface: it knows what it looks for
        known = error.errno in {errno.EBADF, errno.ENODEV}
        return (True, "") if known else verdict(error)
    return True, ""


def _btf_target(number: int) -> Verdict:
    kind = ProgType.LSM if number == AttachType.LSM_MAC else ProgType.TRACING
    trial = Trial(kind, probes.RETURN_0, attach_type=number, attach_btf_id=1)
    if trial.error is None or any(text in trial.log for text in _TARGET_REFUSED):
        return True, ""
    return verdict(trial.error)


def _with_program(
    prog_type: int,
    attach_type: int,
    attach: Callable[[int], int | None],
    *expected: int,
) -> Verdict:
    """Load a program and see whether attaching it fails as it should."""
    try:
        fd = syscalls.prog_load(
            type=prog_type,
            insns=probes.RETURN_0,
            license="GPL",
            attach_type=attach_type,
        )
        with syscalls.Fd(fd):
            made = attach(fd)
    except BpfOSError as error:
        return (True, "") if error.errno in expected else verdict(error)
    if made is not None:
        syscalls.close(made)
    return True, ""


def _link(
    prog_type: int,
    number: int,
    *expected: int,
    target: int = _NO_FD,
    flags: int = 0,
    tail: bytes = b"",
) -> Verdict:
    def attach(fd: int) -> int:
        return syscalls.link_create(fd, target, number, flags=flags, tail=tail)

    hook = 0 if number == AttachType.PERF_EVENT else number
    return _with_program(prog_type, hook, attach, *expected)


def _xdp_link() -> Verdict:
    # the loopback has no driver that could run it
    return _link(
        ProgType.XDP,
        AttachType.XDP,
        errno.EOPNOTSUPP,
        errno.EBUSY,
        target=_LO,
        flags=_XDP_NATIVE,
    )


def _perf_link() -> Verdict:
    return _link(ProgType.TRACEPOINT, AttachType.PERF_EVENT, errno.EBADF)


def _kprobes(number: int) -> Verdict:
    def attach(fd: int) -> int:
        return syscalls.link_create_kprobe_multi(
            fd, symbols=["no such function"], attach_type=number
        )

    return _with_program(ProgType.KPROBE, number, attach, errno.ESRCH, errno.ENOENT)


def _uprobes(number: int) -> Verdict:
    def attach(fd: int) -> int:
        return syscalls.link_create_uprobe_multi(
            fd, path="/", offsets=[0], attach_type=number
        )

    return _with_program(ProgType.KPROBE, number, attach, errno.EBADF)


def _struct_ops_link() -> Verdict:
    # The call that makes links says the same of a wrong fd on every kernel; maps for
    # links came with it, and are refused for their type when the flag is known.
    try:
        fd = _map(MapType.STRUCT_OPS, 4, 4, 1, flags=syscalls.BPF_F_LINK, kernel_type=1)
    except BpfOSError as error:
        return (True, "") if error.errno == ENOTSUPP else verdict(error)
    syscalls.close(fd)
    return True, ""


def _netfilter_link() -> Verdict:
    family_0 = struct.pack("=IIiI", 0, 0, 0, 0)
    netfilter = AttachType.NETFILTER
    no_family = errno.EAFNOSUPPORT
    return _link(ProgType.NETFILTER, netfilter, no_family, target=0, tail=family_0)


_LINKS: Final[dict[int, Callable[[], Verdict]]] = {
    AttachType.XDP: _xdp_link,
    AttachType.PERF_EVENT: _perf_link,
    AttachType.TRACE_KPROBE_MULTI: lambda: _kprobes(AttachType.TRACE_KPROBE_MULTI),
    AttachType.TRACE_KPROBE_SESSION: lambda: _kprobes(AttachType.TRACE_KPROBE_SESSION),
    AttachType.TRACE_UPROBE_MULTI: lambda: _uprobes(AttachType.TRACE_UPROBE_MULTI),
    AttachType.TRACE_UPROBE_SESSION: lambda: _uprobes(AttachType.TRACE_UPROBE_SESSION),
    AttachType.STRUCT_OPS: _struct_ops_link,
    AttachType.NETFILTER: _netfilter_link,
}
