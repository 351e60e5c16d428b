"""Features of BPF links, tried with links that cannot be made."""

from __future__ import annotations

import errno
import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.flags import BPF_F_UPROBE_MULTI_PATH_FD
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, describe
from skelgen.runtime.kernel.features.feature import (
    UNCLEAR,
    Feature,
    Unclear,
    refusal,
)
from skelgen.runtime.kernel.features.trial import (
    EXIT,
    NO_FD,
    RETURN_0,
    call_insn,
    loads,
)

if TYPE_CHECKING:
    from typing import Final

_CLOSED_FD: Final = 0xFFFFFFFF


def _link_errnos(prog_type: int, attach_type: int, tails: list[bytes]) -> list[int]:
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
                fd = syscalls.link_create(prog, _CLOSED_FD, attach_type, tail=tail)
            except BpfOSError as error:
                errnos.append(error.errno or 0)
            else:
                syscalls.close(fd)
                errnos.append(0)
    return errnos


def _link_create(_token_fd: int) -> bool:
    """Commit af6eea57437a ("bpf: Implement bpf_link-based cgroup ... attach")."""
    try:
        syscalls.close(
            syscalls.link_create(_CLOSED_FD, 0, AttachType.CGROUP_INET_INGRESS)
        )
    except BpfOSError as error:
        return error.errno == errno.EBADF or refusal(error)  # it wanted the program
    return True


LINK_CREATE: Final = Feature("BPF links", "5.7", _link_create)


def _tcx(token_fd: int) -> bool | None:
    """Commit e420bed02507 ("bpf: Add fd-based tcx multi-prog infra ...")."""
    try:
        prog = syscalls.prog_load(
            type=ProgType.SCHED_CLS, insns=RETURN_0, license="GPL", token_fd=token_fd
        )
        with syscalls.Fd(prog):
            # an interface of that index cannot be: ENODEV where the hook is known
            link = syscalls.link_create(prog, NO_FD, AttachType.TCX_INGRESS)
            syscalls.close(link)
    except BpfOSError as error:
        return True if error.errno == errno.ENODEV else refusal(error)
    return None


TCX: Final = Feature("tcx links", "6.6", _tcx)


def _perf_link(_token_fd: int) -> bool:
    """Commit b89fbfbb854c ("bpf: Implement minimal BPF perf link")."""
    try:
        (error,) = _link_errnos(ProgType.TRACEPOINT, AttachType.PERF_EVENT, [b""])
    except BpfOSError as failed:
        return refusal(failed)
    if error in UNCLEAR:
        raise Unclear(describe(error))
    return error == errno.EBADF  # it looked for the perf event


PERF_LINK: Final = Feature("BPF link for perf events", "5.15", _perf_link)


def _bpf_cookie(token_fd: int) -> bool:
    """Commit 7adfc6c9b315 ("bpf: Add bpf_get_attach_cookie() BPF helper")."""
    return loads(call_insn(174) + EXIT, token_fd, ProgType.TRACEPOINT)


BPF_COOKIE: Final = Feature("attach cookie", "5.15", _bpf_cookie)


def _uprobe_multi_link(_token_fd: int) -> bool:
    """Commit 89ae89f53d20 ("bpf: Add multi uprobe link").

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
        errnos = _link_errnos(ProgType.KPROBE, multi, [first, second])
    except BpfOSError as failed:
        return refusal(failed)
    if errno.EPERM in errnos:
        raise Unclear(describe(errno.EPERM))
    return errnos == [errno.EBADF, errno.EINVAL]


UPROBE_MULTI_LINK: Final = Feature(
    "BPF link for many uprobes", "6.6", _uprobe_multi_link
)


def _uprobe_multi_path_fd(_token_fd: int) -> bool:
    """Commit "bpf: Add support to specify uprobe_multi target via file descriptor"."""
    offset = syscalls.Memory().read(bytes(8))
    by_fd = BPF_F_UPROBE_MULTI_PATH_FD
    tail = struct.pack("=QQQQIIII", 0, offset, 0, 0, 1, by_fd, 0, _CLOSED_FD)
    try:
        (error,) = _link_errnos(ProgType.KPROBE, AttachType.TRACE_UPROBE_MULTI, [tail])
    except BpfOSError as failed:
        return refusal(failed)
    if error in UNCLEAR:
        raise Unclear(describe(error))
    return error == errno.EBADF  # it looked for the file


UPROBE_MULTI_PATH_FD: Final = Feature(
    "uprobe.multi by open file", "7.2", _uprobe_multi_path_fd
)
