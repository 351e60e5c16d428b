"""Programs on perf events: clocks, counters, hardware events."""

from __future__ import annotations

import errno

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.runtime.kernel import cpus
from skelgen.runtime.links.per_cpu import PerCpuLink
from skelgen.runtime.links.perf_event import attach_perf_event
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.target import process, whole
from skelgen.runtime.undo import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from skelgen.runtime.links.base import Link

_MAX_RATE: Final = "/proc/sys/kernel/perf_event_max_sample_rate"
_NO_EVENT: Final = frozenset((errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV))
_TYPES: Final = {0: "hardware", 1: "software", 2: "tracepoint", 3: "cache", 4: "raw"}


class _Event(Record):
    """The event that is opened on each CPU."""

    type: int
    config: int
    period: int
    frequency: int
    pid: int

    def __str__(self) -> str:
        kind = f" ({_TYPES[self.type]})" if self.type in _TYPES else ""
        return f"perf event of type {self.type}{kind}, config {self.config}"


class PerfEventProgram(Program):
    """``SEC("perf_event")``: type ``PERF_EVENT``, Linux 4.9."""

    __slots__ = ()
    _call = "attach(frequency=...)"

    def attach(
        self,
        perf_fd: int | None = None,
        *,
        type: int = syscalls.PERF_TYPE_SOFTWARE,
        config: int = syscalls.PERF_COUNT_SW_CPU_CLOCK,
        period: int = 0,
        frequency: int = 0,
        pid: int | None = None,
        cpu: int | Iterable[int] | None = None,
        cookie: int = 0,
    ) -> Link:
        """Attach to an event, so that every sample runs the program.

        ``type`` and ``config`` are as in ``struct perf_event_attr``, by default the
        CPU clock; a sample is every ``period`` events or ``frequency`` times a second.

        ``pid`` is ``None`` or -1 for every process, 0 for this one; as for
        ``perf_event_open`` it is a thread's: of a process its first. ``cpu`` is one,
        or several. Without it a process is sampled on whatever CPU it runs, and every
        process on every CPU that is online. On several CPUs the result is a
        :class:`PerCpuLink`, which holds a link for each, all or none.

        With ``perf_fd`` alone the event is one opened already, which stays the
        caller's. Raises ValueError and TypeError for what fits nothing,
        :class:`AttachError` for a CPU that is not there and :class:`NotSupportedError`
        for an event that this machine has not.
        """
        self.fd()  # not loaded is the first thing to say
        what = f"{self.what} on a perf event"
        event = _Event(
            whole(type, f"{self.what}: type"),
            whole(config, f"{self.what}: config"),
            whole(period, f"{self.what}: period"),
            whole(frequency, f"{self.what}: frequency"),
            process(pid, self.what),
        )
        if perf_fd is not None:
            if event != _GIVEN or cpu is not None:
                raise ValueError(
                    f"{self.what}: perf_fd is an event as it was opened; type, config,"
                    " period, frequency, pid and cpu are for a new one"
                )
            fd = syscalls.dup(whole(perf_fd, f"{self.what}: perf_fd"), what=what)
            return attach_perf_event(self, syscalls.Fd(fd), cookie=cookie, what=what)
        self._check(event)
        if cpu is None and event.pid >= 0:
            cpu = -1
        if cpu is None:
            chosen = cpus.online()
        elif isinstance(cpu, int) or not hasattr(cpu, "__iter__"):
            one = whole(cpu, f"{self.what}: cpu")
            self._check_cpus([one], event)
            return self._on_cpu(event, one, cookie)
        else:
            chosen = [whole(each, f"{self.what}: cpu") for each in cpu]
            self._check_cpus(chosen, event)
        with Attempt() as attempt:
            links: list[Link] = []
            for each in chosen:
                links.append(self._on_cpu(event, each, cookie))
                attempt.undo.add(links[-1].destroy)
            return PerCpuLink(self, chosen, links)

    def _check(self, event: _Event) -> None:
        if not 0 <= event.type < 1 << 32 or not 0 <= event.config < 1 << 64:
            raise ValueError(f"{self.what}: no {event} can be")
        if bool(event.period) == bool(event.frequency):
            both = ", not both" if event.period else ""
            raise ValueError(f"{self.what}: give a period or a frequency{both}")
        if not 0 < event.period + event.frequency < 1 << 63:
            raise ValueError(
                f"{self.what}: period and frequency are from 1 to 2**63 - 1, not"
                f" {event.period + event.frequency}"
            )

    def _check_cpus(self, chosen: list[int], event: _Event) -> None:
        if not chosen:
            raise ValueError(f"{self.what}: cpu is an empty list; leave it out for all")
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"{self.what}: cpu has a CPU more than once")
        if chosen == [-1]:
            if event.pid == -1:
                raise ValueError(
                    f"{self.what}: cpu=-1 is whatever CPU a process runs on, and needs"
                    " a pid; leave cpu out for every CPU"
                )
            return
        there = cpus.online()
        missing = [each for each in chosen if each not in there]
        if missing:
            raise self.attach_error(
                f"no CPU {', '.join(map(str, missing))} is online; there are"
                f" {cpus.text(there)}"
            )

    def _on_cpu(self, event: _Event, cpu: int, cookie: int) -> Link:
        what = f"{self.what} on a perf event" + (f" of CPU {cpu}" if cpu >= 0 else "")
        try:
            fd = syscalls.perf_event_open(
                type=event.type,
                config=event.config,
                sample_period=event.frequency or event.period,
                freq=event.frequency != 0,
                pid=event.pid,
                cpu=cpu,
                what=what,
            )
        except BpfOSError as error:
            explained = self._explained(event, error)
            if explained is None:
                raise
            raise explained from error
        return attach_perf_event(self, syscalls.Fd(fd), cookie=cookie, what=what)

    def _explained(self, event: _Event, error: BpfOSError) -> Exception | None:
        """Return what says more than the kernel about an event it did not open."""
        if error.errno == errno.ESRCH:
            return self.attach_error(f"there is no process {event.pid}")
        if error.errno in _NO_EVENT:
            return NotSupportedError(
                f"this machine has no {event}",
                feature=str(event),
                errno=error.errno or 0,
                command=error.command,
                what=error.what,
            )
        if error.errno == errno.EINVAL:
            most = _max_rate()
            if most is not None and event.frequency > most:
                return self.attach_error(
                    f"frequency {event.frequency} is more than the sysctl"
                    f" kernel.perf_event_max_sample_rate, {most}"
                )
        return None


_GIVEN: Final = _Event(
    syscalls.PERF_TYPE_SOFTWARE, syscalls.PERF_COUNT_SW_CPU_CLOCK, 0, 0, -1
)
"""The arguments where none was given."""


def _max_rate() -> int | None:
    try:
        with open(_MAX_RATE, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None
