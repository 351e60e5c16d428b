"""Programs on tracepoints, through perf events."""

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.attach import Tracepoint
from skelgen.model.flags import BPF_F_SLEEPABLE
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.programs.base import Program

if TYPE_CHECKING:
    from skelgen.runtime.links.base import Link


class TracepointProgram(Program):
    """``SEC("tp/<category>/<event>")``, type ``TRACEPOINT``, Linux 4.7."""

    __slots__ = ()
    _call = "attach(category, event)"

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` names the tracepoint."""
        target = self.spec.attach
        return isinstance(target, Tracepoint) and target.event is not None

    def attach(
        self,
        category: str | None = None,
        event: str | None = None,
        *,
        cookie: int = 0,
    ) -> "Link":
        """Attach to a tracepoint, by default the one that ``SEC()`` names.

        Needs tracefs, mounted or not. ``cookie`` is what
        ``bpf_get_attach_cookie()`` gives the program (Linux 5.15).
        """
        from skelgen.runtime import syscalls
        from skelgen.runtime.links.perf_event import attach_perf_event

        self.fd()  # not loaded is the first thing to say
        target = self.spec.attach
        if category is None and isinstance(target, Tracepoint):
            category, event = target.category, target.event
        if category is None or event is None:
            raise self.no_target()
        what = f"{self.what} on tracepoint '{category}/{event}'"
        number = self._event_id(category, event)
        perf = syscalls.perf_event_open(
            type=syscalls.PERF_TYPE_TRACEPOINT, config=number, what=what
        )
        try:
            return attach_perf_event(self, syscalls.Fd(perf), cookie=cookie, what=what)
        except BpfOSError as error:
            if error.errno == errno.EINVAL and self.flags & BPF_F_SLEEPABLE:
                from skelgen.runtime.kernel import tracefs

                error.add_note(tracefs.FAULTABLE)
            raise

    def _event_id(self, category: str, event: str) -> int:
        from skelgen.runtime.kernel import tracefs

        try:
            with tracefs.Tracefs() as fs:
                return fs.event_id(category, event)
        except FileNotFoundError as missing:
            error = self.attach_error(
                f"no tracepoint '{category}/{event}' in this kernel"
            )
            hint = tracefs.similar_events(category, event)
            if hint is not None:
                error.add_note(hint)
            raise error from missing
        except (BpfError, OSError) as error:
            raise self.attach_error(
                f"cannot look up tracepoint '{category}/{event}': {error}"
            ) from error
