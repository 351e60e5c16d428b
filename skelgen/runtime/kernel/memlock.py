"""RLIMIT_MEMLOCK, against which kernels before Linux 5.11 count BPF memory."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.kernel import features
from skelgen.runtime.log import debug
from skelgen.runtime.process.once import Once
from skelgen.runtime.syscalls import rights

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.errors import BpfOSError


def _lift() -> bool:
    if features.MEMCG_ACCOUNT.supported():
        return False
    import resource

    unlimited = resource.RLIM_INFINITY
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    # without CAP_SYS_RESOURCE as far as it goes
    for limit in (unlimited, before[1]):
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        except (OSError, ValueError) as error:
            debug("cannot lift RLIMIT_MEMLOCK to %d: %s", limit, error)
        else:
            return before != (limit, limit)
    return False


_lifted: Final = Once(_lift)


def lift_memlock() -> bool:
    """Lift RLIMIT_MEMLOCK on kernels that count BPF memory against it.

    Once in a process. Returns whether the limit changed; where it could not be lifted,
    the load fails and its error says so.
    """
    return _lifted()


def hints() -> list[str]:
    """Return what to say of a refusal that the limit may be the reason of."""
    soft = _soft_limit()
    if soft is None or features.MEMCG_ACCOUNT.supported() is not False:
        return []
    hint = (
        f"this kernel counts BPF memory against RLIMIT_MEMLOCK, which is {soft} bytes "
        "(before Linux 5.11): raise it with 'ulimit -l unlimited'"
    )
    return [hint]


def blame(error: BpfOSError, kind: int) -> None:
    """Name the limit among the hints of a refused call, if it may be the reason.

    ``kind`` is the type of the map or program.
    """
    found = hints()
    if found:
        error.__notes__ = rights.explain(error.command, kind, found)


def _soft_limit() -> int | None:
    """Return RLIMIT_MEMLOCK in bytes, ``None`` for unlimited."""
    for line in rights.read_text("/proc/self/limits").splitlines():
        if line.startswith("Max locked memory"):
            limit = line.split()[3]
            return int(limit) if limit.isdigit() else None
    return None
