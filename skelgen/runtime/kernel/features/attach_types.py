"""Which attach types the kernel has.

Each probe attaches to something that is not there: only a kernel that knows the attach
type looks for it, and returns the errno of its absence.
"""

from __future__ import annotations

import errno
import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.model import attach_types, prog_types
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.flags import BPF_F_LINK, XDP_FLAGS_DRV_MODE
from skelgen.runtime import syscalls
from skelgen.runtime.errors import ENOTSUPP, BpfOSError
from skelgen.runtime.kernel.features.prog_types import TARGET_REFUSED
from skelgen.runtime.kernel.features.trial import (
    NO_FD,
    RETURN_0,
    Trial,
    Verdict,
    make_map,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

_OF_SOCKET_MAPS: Final = frozenset((ProgType.SK_SKB, ProgType.SK_MSG))
_OF_MANY_TARGETS: Final = frozenset(
    (
        AttachType.TRACE_FENTRY_MULTI,
        AttachType.TRACE_FEXIT_MULTI,
        AttachType.TRACE_FSESSION_MULTI,
    )
)
"""Programs whose targets the link names; they are loaded for none."""
_LO: Final = 1
"""Index of the loopback interface, in every network namespace."""


def attach_type(number: int) -> Verdict:  # noqa: PLR0911 - a way a family
    """Try to attach to, or to ask about, something that is not there."""
    row = attach_types.row(number)
    if prog_types.row(row.program).target and number != AttachType.LSM_CGROUP:
        return _btf_target(row.program, number)
    if row.program == ProgType.SK_REUSEPORT:
        return _of_sockets_that_share_a_port(number)
    if row.in_map:
        try:
            # a value that has a program beside the number: since then it runs programs
            syscalls.close(make_map(row.in_map, 4, 8, 1))
        except BpfOSError as error:
            return verdict(error)
        return True, ""
    if row.program in _OF_SOCKET_MAPS:
        return _with_program(
            row.program,
            0,
            lambda fd: syscalls.prog_attach(fd, NO_FD, number),
            errno.EBADF,
        )
    link = _LINKS.get(number)
    if link is not None:
        return link()
    try:
        syscalls.prog_query(NO_FD, number)
    except BpfOSError as error:
        # no such cgroup, namespace or interface: it knows what it looks for
        known = error.errno in {errno.EBADF, errno.ENODEV}
        return (True, "") if known else verdict(error)
    return True, ""


def _of_sockets_that_share_a_port(number: int) -> Verdict:
    trial = Trial(ProgType.SK_REUSEPORT, RETURN_0, attach_type=number)
    if trial.error is not None:
        return verdict(trial.error)
    other = Trial(ProgType.SK_REUSEPORT, RETURN_0, attach_type=AttachType.XDP)
    if other.error is None:  # before 5.14
        return False, "the attach type of such programs is not looked at"
    return True, ""


def _btf_target(prog_type: int, number: int) -> Verdict:
    target = 0 if number in _OF_MANY_TARGETS else 1
    trial = Trial(prog_type, RETURN_0, attach_type=number, attach_btf_id=target)
    if trial.error is None or any(text in trial.log for text in TARGET_REFUSED):
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
            insns=RETURN_0,
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
    target: int = NO_FD,
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
        flags=XDP_FLAGS_DRV_MODE,
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
        fd = make_map(MapType.STRUCT_OPS, 4, 4, 1, flags=BPF_F_LINK, kernel_type=1)
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
