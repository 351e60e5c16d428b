"""Links to perf events: tracepoints, kprobes, uprobes, counters."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import log, syscalls
from skelgen.runtime.errors import BpfError, NotSupportedError
from skelgen.runtime.links.base import Link, NoBpfLink
from skelgen.runtime.undo import last_step

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.runtime.links.base import AttachedProgram


_ATTACHED: Final = (
    "the program is attached there already: destroy that link first; attach() of the"
    " skeleton leaves a program alone whose link is in skel.links"
)


def attach_perf_event(
    program: AttachedProgram,
    perf: syscalls.Fd,
    *,
    cookie: int = 0,
    what: str,
    undo: Callable[[], None] | None = None,
) -> Link:
    """Attach a program to a perf event, and take the event over.

    Through a BPF link (Linux 5.15), else through the event itself, which knows no
    cookie. ``undo`` removes what was made for the event, when it is detached or
    cannot be attached.
    """
    try:
        return _attach(program, perf, cookie=cookie, what=what, undo=undo)
    except BaseException as error:
        perf.close()
        if undo is not None:
            _remove(undo, what)
        if isinstance(error, FileExistsError):
            error.add_note(_ATTACHED)
        raise


def _attach(
    program: AttachedProgram,
    perf: syscalls.Fd,
    *,
    cookie: int,
    what: str,
    undo: Callable[[], None] | None,
) -> Link:
    from skelgen.runtime.kernel import features

    enable = syscalls.PERF_EVENT_IOC_ENABLE
    if features.PERF_LINK.supported() is not False:
        fd = syscalls.Fd(
            syscalls.link_create_perf_event(
                program.fd(), perf.fileno(), cookie=cookie, what=what
            )
        )
        with fd:
            syscalls.ioctl(perf.fileno(), enable, what=what)
            # the link holds the event from now on
            perf.close()
            if undo is None:
                return Link(fd.detach(), program)
            return ProbeLink(fd.detach(), program, undo)
    if cookie:
        raise NotSupportedError(
            "this kernel has no attach cookie",
            feature=features.BPF_COOKIE.name,
            since=features.BPF_COOKIE.since,
            what=what,
        )
    log.debug("%s: no BPF link, attaching through the perf event", what)
    set_bpf = syscalls.PERF_EVENT_IOC_SET_BPF
    syscalls.ioctl(perf.fileno(), set_bpf, program.fd(), what=what)
    syscalls.ioctl(perf.fileno(), enable, what=what)
    return PerfEventLink(perf.detach(), program, undo)


def _remove(undo: Callable[[], None], what: str) -> None:
    """Remove an event, which others may do too or keep in use."""
    try:
        undo()
    except (BpfError, OSError) as error:
        log.debug("%s: cannot remove its event: %s", what, error)


class ProbeLink(Link):
    """A link to an event that was made for it in tracefs, and goes with it."""

    __slots__ = ("_undo",)

    def __init__(
        self, fd: int, program: AttachedProgram, undo: Callable[[], None] | None
    ) -> None:
        super().__init__(fd, program)
        self._undo: Final = undo

    def destroy(self) -> None:
        """Close the link, once, and remove the event."""
        if self._fd.closed:
            return
        super().destroy()
        # a forked child leaves the parent's event alone; a pin keeps it in use
        if self._undo is not None and self._mine() and self._pin_path is None:
            _remove(self._undo, self.what)

    def __del__(self) -> None:
        if not hasattr(self, "_undo"):  # the constructor did not come that far
            return
        last_step(self.destroy)


class PerfEventLink(NoBpfLink, ProbeLink):
    """A program on a perf event without a BPF link, on kernels before 5.15."""

    __slots__ = ()

    _how = "this kernel attaches it"

    def _feature(self) -> tuple[str, str]:
        from skelgen.runtime.kernel import features

        return features.PERF_LINK.name, features.PERF_LINK.since

    def detach(self) -> None:
        """Stop the event for everyone who has it, and destroy the link."""
        if not self._fd.closed:
            disable = syscalls.PERF_EVENT_IOC_DISABLE
            syscalls.ioctl(self._fd.fileno(), disable, what=self.what)
            self.destroy()

    def destroy(self) -> None:
        """Close the event, once."""
        try:
            if not self._fd.closed and self._mine():
                disable = syscalls.PERF_EVENT_IOC_DISABLE
                syscalls.ioctl(self._fd.fileno(), disable, what=self.what)
        finally:
            super().destroy()
