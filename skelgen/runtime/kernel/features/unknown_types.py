"""Errors about program types and attach types that this kernel does not have.

It refuses them with ``EINVAL``, as it refuses nearly everything else. So it is asked
about the type alone; there is no error where it knows the type or cannot tell.
"""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.since import attach_type_since, prog_type_since
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.runtime.kernel.features import answers

if TYPE_CHECKING:
    from typing import Final

_OF_SECTIONS: Final = {
    AttachType.TRACE_KPROBE_MULTI: "kprobe.multi",
    AttachType.TRACE_KPROBE_SESSION: "kprobe.session",
    AttachType.TRACE_UPROBE_MULTI: "uprobe.multi",
    AttachType.TRACE_UPROBE_SESSION: "uprobe.session",
    AttachType.TRACE_FENTRY: "fentry",
    AttachType.TRACE_FEXIT: "fexit",
    AttachType.MODIFY_RETURN: "fmod_ret",
    AttachType.TRACE_RAW_TP: "tp_btf",
    AttachType.TRACE_ITER: "iterators",
    AttachType.LSM_MAC: "lsm",
    AttachType.LSM_CGROUP: "lsm_cgroup",
    AttachType.TRACE_FSESSION: "fsession",
    AttachType.TRACE_FENTRY_MULTI: "fentry.multi",
    AttachType.TRACE_FEXIT_MULTI: "fexit.multi",
    AttachType.TRACE_FSESSION_MULTI: "fsession.multi",
}
_OPTIONS_OF_TYPES: Final = {
    ProgType.LIRC_MODE2: "CONFIG_BPF_LIRC_MODE2",
    ProgType.NETFILTER: "CONFIG_NETFILTER_BPF_LINK",
    ProgType.LSM: "CONFIG_BPF_LSM",
    ProgType.KPROBE: "CONFIG_BPF_EVENTS",
    ProgType.TRACEPOINT: "CONFIG_BPF_EVENTS",
    ProgType.PERF_EVENT: "CONFIG_BPF_EVENTS",
    ProgType.RAW_TRACEPOINT: "CONFIG_BPF_EVENTS",
    ProgType.RAW_TRACEPOINT_WRITABLE: "CONFIG_BPF_EVENTS",
    ProgType.TRACING: "CONFIG_BPF_EVENTS",
    ProgType.STRUCT_OPS: "CONFIG_BPF_JIT",
    ProgType.EXT: "CONFIG_BPF_JIT",
}
"""Options that even a kernel that is new enough has to be built with."""
_OPTIONS: Final = {
    AttachType.TRACE_KPROBE_MULTI: "CONFIG_FPROBE",
    AttachType.TRACE_KPROBE_SESSION: "CONFIG_FPROBE",
    AttachType.TRACE_UPROBE_MULTI: "CONFIG_UPROBES",
    AttachType.TRACE_UPROBE_SESSION: "CONFIG_UPROBES",
}
"""Options without which a kernel that knows the type answers ``EOPNOTSUPP``."""


def raise_if_unknown(number: int, error: BpfOSError) -> None:
    """Raise :class:`NotSupportedError` where a call failed for its attach type."""
    unknown = unknown_hook(number, error)
    if unknown is not None:
        raise unknown from error


def unknown_hook(number: int, error: BpfOSError) -> NotSupportedError | None:
    """Return the error of an attach type that the kernel lacks, ``None`` if it has it."""
    if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
        return None
    try:
        kind = AttachType(number)
    except ValueError:
        return None
    if answers.attach_type(kind).supported is not False:
        return None
    name = _OF_SECTIONS.get(kind, f"attach type {kind.name}")
    option = _OPTIONS.get(kind) if error.errno == errno.EOPNOTSUPP else None
    without = f": it was built without {option}" if option else ""
    return NotSupportedError(
        f"this kernel has no {name}{without}",
        feature=name,
        since="" if option else attach_type_since(kind),
        errno=error.errno,
        command=error.command,
        what=error.what,
    )


def unknown_type(number: int, error: BpfOSError) -> NotSupportedError | None:
    """Return the error of a program type that the kernel lacks, ``None`` if it has it."""
    if error.errno != errno.EINVAL:
        return None
    try:
        kind = ProgType(number)
    except ValueError:
        return None
    if answers.program_type(kind).supported is not False:
        return None
    option = _OPTIONS_OF_TYPES.get(kind)
    built = f", if it was built with {option}" if option else ""
    return NotSupportedError(
        f"this kernel has no programs of type {kind.name}; Linux has them since"
        f" {prog_type_since(kind)}{built}",
        feature=f"programs of type {kind.name}",
        errno=errno.EINVAL,
        command=error.command,
        what=error.what,
    )
