"""Programs on perf events: clocks, counters, hardware events."""

from skelgen.runtime import syscalls
from skelgen.runtime.links.base import Link
from skelgen.runtime.links.perf_event import attach_perf_event
from skelgen.runtime.programs.base import Program


class PerfEventProgram(Program):
    """``SEC("perf_event")``: type ``PERF_EVENT``, Linux 4.9."""

    __slots__ = ()
    _call = "attach(frequency=...)"

    def attach(
        self,
        perf_fd: int | None = None,
        *,
        type: int = syscalls.PERF_TYPE_SOFTWARE,  # noqa: A002 (the UAPI's word)
        config: int = syscalls.PERF_COUNT_SW_CPU_CLOCK,
        period: int = 0,
        frequency: int = 0,
        pid: int = -1,
        cpu: int = 0,
        cookie: int = 0,
    ) -> Link:
        """Attach to an event, so that every sample runs the program.

        To the one behind ``perf_fd`` (which stays the caller's), or to a new one:
        ``type`` and ``config`` as in ``struct perf_event_attr`` (the CPU clock by
        default), a sample every ``period`` events or ``frequency`` times a second;
        ``pid`` -1 for every process (on one ``cpu``), 0 for this one.
        """
        self.fd()  # not loaded is the first thing to say
        what = f"{self.what} on a perf event"
        if perf_fd is not None:
            fd = syscalls.dup(perf_fd, what=what)
        else:
            if not period and not frequency:
                raise ValueError(f"{self.what}: give a period or a frequency")
            fd = syscalls.perf_event_open(
                type=type,
                config=config,
                sample_period=frequency or period,
                freq=frequency != 0,
                pid=pid,
                cpu=cpu,
                what=what,
            )
        return attach_perf_event(self, syscalls.Fd(fd), cookie=cookie, what=what)
