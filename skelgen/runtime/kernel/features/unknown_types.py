"""Errors about program types and attach types that this kernel does not have.

It refuses them with ``EINVAL``, as it refuses nearly everything else. So it is asked
about the type alone; there is no error where it knows the type or cannot tell.
"""

from __future__ import annotations

import errno

from skelgen.model import attach_types, prog_types
from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.runtime.kernel.features import answers


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
    row = attach_types.row(kind)
    name = row.called or f"attach type {kind.name}"
    option = row.option if error.errno == errno.EOPNOTSUPP else ""
    without = f": it was built without {option}" if option else ""
    return NotSupportedError(
        f"this kernel has no {name}{without}",
        feature=name,
        since="" if option else row.since,
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
    row = prog_types.row(kind)
    built = f", if it was built with {row.option}" if row.option else ""
    return NotSupportedError(
        f"this kernel has no programs of type {kind.name}; Linux has them since"
        f" {row.since}{built}",
        feature=f"programs of type {kind.name}",
        errno=errno.EINVAL,
        command=error.command,
        what=error.what,
    )
