"""Perf events of kprobes and uprobes: through their PMU, or through tracefs."""

from __future__ import annotations

import errno
import itertools
import os

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, NotSupportedError, os_error
from skelgen.runtime.kernel.pmu import pmu_number
from skelgen.runtime.kernel.tracefs import Tracefs
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

_GROUP: Final = "skelgen"
_NAME_SIZE: Final = 63  # MAX_EVENT_NAME_LEN of the kernel, less the NUL
_REF_CTR_SHIFT: Final = 32  # PERF_UPROBE_REF_CTR_OFFSET_SHIFT
_serial: Final = itertools.count()


class Place(Record):
    """The place of a probe."""

    kind: str
    """``kprobe`` or ``uprobe``."""
    name: str | None
    """Kernel function, or path of the file; ``None`` for a kernel address."""
    offset: int
    """Bytes after the function, in the file, or the address."""
    retprobe: bool = False
    pid: int = -1
    """Process of a uprobe: -1 every one, 0 this one."""
    ref_ctr_offset: int = 0
    """File offset of a USDT semaphore."""

    def __str__(self) -> str:
        word = f"{self.kind[0]}ret{self.kind[1:]}" if self.retprobe else self.kind
        if self.name is None:
            return f"{word} at {self.offset:#x}"
        return f"{word} '{self.name}+{self.offset:#x}'"


class ProbeEvent(Record):
    """A perf event, and what to do when it is not needed any more."""

    fd: syscalls.Fd
    undo: Callable[[], None] | None


def open_probe(place: Place, what: str) -> ProbeEvent:
    """Open the perf event of a probe, Linux 4.17, or by way of tracefs before.

    Raises :class:`BpfOSError`: ``ENOENT`` for a function that the kernel lacks.
    """
    pmu = pmu_number(place.kind, "type")
    if pmu is None:
        return _through_tracefs(place, what)
    config = place.ref_ctr_offset << _REF_CTR_SHIFT
    if place.retprobe:
        config |= 1 << (pmu_number(place.kind, "format/retprobe") or 0)
    memory = syscalls.Memory()
    fd = syscalls.perf_event_open(
        type=pmu,
        config=config,
        config1=0 if place.name is None else memory.text(place.name),
        config2=place.offset,
        pid=place.pid,
        cpu=0 if place.pid == -1 else -1,
        what=what,
    )
    return ProbeEvent(syscalls.Fd(fd), None)


def _through_tracefs(place: Place, what: str) -> ProbeEvent:
    """Define an event in ``kprobe_events`` or ``uprobe_events`` and open that."""
    control = f"{place.kind}_events"
    event = event_name(place)
    try:
        with Tracefs() as fs:
            _define(fs, control, definition(place, event), what)
            try:
                number = fs.event_id(_GROUP, event)
                fd = syscalls.perf_event_open(
                    type=syscalls.PERF_TYPE_TRACEPOINT,
                    config=number,
                    pid=place.pid,
                    cpu=0 if place.pid == -1 else -1,
                    what=what,
                )
            except BaseException:
                try:
                    fs.append(control, f"-:{_GROUP}/{event}")
                except OSError as error:
                    debug("%s: cannot remove its event: %s", what, error)
                raise
    except BpfOSError:
        raise
    except OSError as error:
        raise os_error(error.errno or 0, command=control, what=what) from error
    except BpfError as error:
        raise NotSupportedError(
            f"this kernel has no {place.kind} PMU (CONFIG_{place.kind.upper()}_EVENTS),"
            f" and {error}",
            feature=f"{place.kind}s",
            what=what,
        ) from error

    def remove() -> None:
        with Tracefs() as fs:
            fs.append(control, f"-:{_GROUP}/{event}")

    return ProbeEvent(syscalls.Fd(fd), remove)


def _define(fs: Tracefs, control: str, line: str, what: str) -> None:
    try:
        fs.append(control, line)
    except FileNotFoundError as error:
        if error.filename is None:  # the write said so: no such function
            raise os_error(errno.ENOENT, command=control, what=what) from error
        kind = control.partition("_")[0]
        raise NotSupportedError(
            f"this kernel has no {kind}s (CONFIG_{kind.upper()}_EVENTS)",
            feature=f"{kind}s",
            what=what,
        ) from error
    except OSError as error:
        raise os_error(error.errno or 0, command=control, what=what) from error


def event_name(place: Place) -> str:
    """Return a name that no other event has."""
    name = place.name or "address"
    if place.kind == "uprobe":
        name = os.path.basename(name)
    text = f"skelgen_{os.getpid()}_{next(_serial)}_{name}_{place.offset:#x}"
    safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in text)
    return safe[:_NAME_SIZE]


def definition(place: Place, event: str) -> str:
    """Return the line that defines an event; ``Documentation/trace/kprobetrace``."""
    letter = "r" if place.retprobe else "p"
    if place.kind == "uprobe":
        where = f"{place.name}:{place.offset:#x}"
        if place.ref_ctr_offset:
            where += f"({place.ref_ctr_offset:#x})"
    elif place.name is None:
        where = f"{place.offset:#x}"
    else:
        where = f"{place.name}+{place.offset:#x}"
    return f"{letter}:{_GROUP}/{event} {where}"
