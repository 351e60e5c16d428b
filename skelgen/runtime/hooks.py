"""Attach types that this kernel has not: what it says of them is ``EINVAL``."""

from __future__ import annotations

import errno

from skelgen.model.enums import AttachType
from skelgen.model.since import attach_type_since
from skelgen.runtime import features
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.typed import TYPE_CHECKING

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
_OPTIONS: Final = {
    AttachType.TRACE_KPROBE_MULTI: "CONFIG_FPROBE",
    AttachType.TRACE_KPROBE_SESSION: "CONFIG_FPROBE",
    AttachType.TRACE_UPROBE_MULTI: "CONFIG_UPROBES",
    AttachType.TRACE_UPROBE_SESSION: "CONFIG_UPROBES",
}
"""Options without which a kernel that knows the type answers ``EOPNOTSUPP``."""


def raise_if_unknown(number: int, error: BpfOSError) -> None:
    """Raise :class:`NotSupportedError` where a call failed for its attach type.

    The kernel is asked about the type alone; where it knows it, or cannot tell,
    nothing is raised.
    """
    if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
        return
    try:
        kind = AttachType(number)
    except ValueError:
        return
    if features.attach_type(kind).supported is not False:
        return
    name = _OF_SECTIONS.get(kind, f"attach type {kind.name}")
    option = _OPTIONS.get(kind) if error.errno == errno.EOPNOTSUPP else None
    without = f": it was built without {option}" if option else ""
    raise NotSupportedError(
        f"this kernel has no {name}{without}",
        feature=name,
        since="" if option else attach_type_since(kind),
        errno=error.errno,
        command=error.command,
        what=error.what,
    ) from error
