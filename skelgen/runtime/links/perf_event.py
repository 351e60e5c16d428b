"""Links to perf events: tracepoints, kprobes, uprobes, counters."""

from __future__ import annotations

from skelgen.runtime import log, syscalls
from skelgen.runtime.cpus import text as cpu_list
from skelgen.runtime.errors import BpfError, NotSupportedError, StateError
from skelgen.runtime.links.base import Link
from skelgen.runtime.undo import Undo, raise_first
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from typing import Final

    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.syscalls import LinkInfo


def attach_perf_event(
    program: Program,
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
    except BaseException:
        perf.close()
        if undo is not None:
            _remove(undo, what)
        raise


def _attach(
    program: Program,
    perf: syscalls.Fd,
    *,
    cookie: int,
    what: str,
    undo: Callable[[], None] | None,
) -> Link:
    from skelgen.runtime import features  # noqa: PLC0415 - loading needs no probes

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
        self, fd: int, program: Program, undo: Callable[[], None] | None
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
        try:
            self.destroy()
        except Exception as error:  # noqa: BLE001 (nobody could catch it)
            log.debug("cannot detach: %s", error)


class PerfEventLink(ProbeLink):
    """A program on a perf event without a BPF link, on kernels before 5.15."""

    __slots__ = ()

    def info(self) -> LinkInfo:
        """Raise: only BPF links have it."""
        raise self._no_link("information")

    def update(self, program: Program, *, old: Program | None = None) -> None:
        """Raise: only BPF links have it."""
        del program, old
        raise self._no_link("updates")

    def pin(self, path: object) -> None:
        """Raise: only BPF links have it."""
        del path
        raise self._no_link("pins")

    def _no_link(self, thing: str) -> NotSupportedError:
        from skelgen.runtime import features  # noqa: PLC0415 - as above

        return NotSupportedError(
            f"this kernel attaches it without a BPF link, so there are no {thing}",
            feature=features.PERF_LINK.name,
            since=features.PERF_LINK.since,
            what=self.what,
        )

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


class PerCpuLink(Link):
    """The links of a program to an event on several CPUs, as one."""

    __slots__ = ("cpus", "links")

    def __init__(
        self, program: Program, cpus: Sequence[int], links: Sequence[Link]
    ) -> None:
        self.program = program
        self.cpus: Final = tuple(cpus)
        """The CPUs, in the order of :attr:`links`."""
        self.links: Final = tuple(links)
        """A link a CPU."""

    @property
    def destroyed(self) -> bool:
        """Whether all of its links are destroyed."""
        return all(link.destroyed for link in self.links)

    @property
    def pin_path(self) -> str | None:
        """``None``: its links are pinned one by one."""
        return None

    def fd(self) -> int:
        """Raise :class:`StateError`: each of :attr:`links` has one."""
        raise self._one_by_one("fd()")

    fileno = fd

    def info(self) -> LinkInfo:
        """Raise :class:`StateError`: each of :attr:`links` has it."""
        raise self._one_by_one("info()")

    def update(self, program: Program, *, old: Program | None = None) -> None:
        """Raise :class:`StateError`; the kernel updates no link to a perf event."""
        del program, old
        raise self._one_by_one("update()")

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Raise :class:`StateError`: each of :attr:`links` has a path of its own."""
        del path
        raise self._one_by_one("pin()")

    def unpin(self) -> None:
        """Raise :class:`StateError`, as :meth:`pin`."""
        raise self._one_by_one("unpin()")

    def detach(self) -> None:
        """Detach all of its links, and destroy them; see :meth:`Link.detach`."""
        self._each([link.detach for link in self.links])

    def destroy(self) -> None:
        """Destroy all of its links, also where one fails; the first is raised."""
        self._each([link.destroy for link in self.links])

    def _each(self, steps: list[Callable[[], None]]) -> None:
        undo = Undo()
        for step in reversed(steps):  # the first is done first
            undo.add(step)
        raise_first(undo.run())

    def _one_by_one(self, call: str) -> StateError:
        return StateError(
            f"{self.what}: it is {len(self.links)} links, one a CPU; {call} is for each"
            " of .links"
        )

    def __repr__(self) -> str:
        state = "destroyed" if self.destroyed else "attached"
        where = cpu_list(list(self.cpus))
        what = self.what.removeprefix("link").lstrip()
        return f"<{type(self).__name__} {what} on CPUs {where}: {state}>"
