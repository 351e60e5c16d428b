"""RLIMIT_MEMLOCK, against which kernels before Linux 5.11 count BPF memory."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.kernel import features
from skelgen.runtime.log import debug
from skelgen.runtime.process.once import Once

if TYPE_CHECKING:
    from typing import Final


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
