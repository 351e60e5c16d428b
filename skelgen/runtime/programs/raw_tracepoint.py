"""Programs on raw tracepoints."""

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.attach import RawTracepoint
from skelgen.model.flags import BPF_F_SLEEPABLE
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import tracefs
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program

if TYPE_CHECKING:
    from skelgen.model.attach import Attach


class RawTracepointProgram(Program):
    """``SEC("raw_tp/<event>")`` and ``raw_tp.w``: the tracepoint's own arguments.

    Types ``RAW_TRACEPOINT`` (Linux 4.17) and ``RAW_TRACEPOINT_WRITABLE`` (5.2).
    """

    __slots__ = ()
    _call = "attach(event)"

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` names the tracepoint."""
        return _event(self.spec.attach) is not None

    def attach(self, event: str | None = None, *, cookie: int = 0) -> Link:
        """Attach to a tracepoint, by default the one that ``SEC()`` names.

        The name is without a category. ``cookie`` since Linux 6.10.
        """
        prog_fd = self.fd()
        event = event or _event(self.spec.attach)
        if event is None:
            raise self.no_target()
        what = f"{self.what} on raw tracepoint '{event}'"
        try:
            fd = syscalls.raw_tracepoint_open(event, prog_fd, cookie, what=what)
        except BpfOSError as error:
            if error.errno == errno.ENOENT:
                result = self.attach_error(
                    f"no raw tracepoint '{event}' in this kernel"
                )
                hint = tracefs.similar_raw(event)
                if hint is not None:
                    result.add_note(hint)
                raise result from error
            if error.errno == errno.EINVAL and self.flags & BPF_F_SLEEPABLE:
                error.add_note(tracefs.FAULTABLE)
            raise
        return Link(fd, self)


def _event(target: "Attach") -> str | None:
    return target.event if isinstance(target, RawTracepoint) else None
