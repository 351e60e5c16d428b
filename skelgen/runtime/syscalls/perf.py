"""``perf_event_open(2)`` and its ioctls. Layouts: ``linux/perf_event.h``."""

from __future__ import annotations

import ctypes

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import FD, number
from skelgen.runtime.syscalls.call import fail, syscall
from skelgen.runtime.syscalls.fd import checked_fd, good_fd
from skelgen.runtime.syscalls.layout import Layout
from skelgen.runtime.syscalls.numbers import MACHINE, NR_IOCTL, NR_PERF_EVENT_OPEN

if TYPE_CHECKING:
    from typing import Final

# struct perf_event_attr up to config2 (PERF_ATTR_SIZE_VER1), Linux 2.6.33
_ATTR: Final = Layout(
    "=IIQQQQQIIQQ",
    "type size config sample_period sample_type read_format flags wakeup_events"
    " bp_type config1 config2",
)

PERF_TYPE_HARDWARE: Final = 0
PERF_TYPE_SOFTWARE: Final = 1
PERF_TYPE_TRACEPOINT: Final = 2
PERF_COUNT_SW_CPU_CLOCK: Final = 0
PERF_COUNT_SW_BPF_OUTPUT: Final = 10
PERF_SAMPLE_RAW: Final = 1 << 10

_FLAG_FD_CLOEXEC: Final = 8
_U64: Final = (0, (1 << 64) - 1)
_WORD: Final = (-1 << 63, (1 << 64) - 1)
_ATTR_DISABLED: Final = 1 << 0
_ATTR_FREQ: Final = 1 << 10


def _ioc(direction: int, number: int, size: int) -> int:
    """``_IOC(direction, '$', number, size)``; the direction is 1 for write."""
    if MACHINE.startswith(("ppc", "mips", "sparc")):
        # three bits, 13 for the size; none is 1, write is 4
        return (4 if direction else 1) << 29 | size << 16 | ord("$") << 8 | number
    return direction << 30 | size << 16 | ord("$") << 8 | number


PERF_EVENT_IOC_ENABLE: Final = _ioc(0, 0, 0)
PERF_EVENT_IOC_DISABLE: Final = _ioc(0, 1, 0)
PERF_EVENT_IOC_SET_BPF: Final = _ioc(1, 8, 4)


def perf_event_open(
    *,
    type: int,
    config: int,
    config1: int = 0,
    config2: int = 0,
    sample_period: int = 0,
    freq: bool = False,
    sample_type: int = 0,
    wakeup_events: int = 0,
    disabled: bool = False,
    pid: int = -1,
    cpu: int = 0,
    group_fd: int = -1,
    flags: int = 0,
    what: str = "",
) -> int:
    """Open a perf event and return its fd, close-on-exec, Linux 2.6.31.

    ``pid`` -1 is every process, 0 this one; ``cpu`` -1 every CPU. With ``freq`` the
    period is a frequency in Hz.
    """
    attr = ctypes.create_string_buffer(
        _ATTR.pack(
            what,
            type,
            _ATTR.size,
            config,
            sample_period,
            sample_type,
            0,
            (_ATTR_FREQ if freq else 0) | (_ATTR_DISABLED if disabled else 0),
            wakeup_events,
            0,
            config1,
            config2,
        ),
        _ATTR.size,
    )
    result, error = syscall(
        NR_PERF_EVENT_OPEN,
        ctypes.addressof(attr),
        number(pid, "pid", FD, what),
        number(cpu, "cpu", FD, what),
        group_fd if group_fd == -1 else checked_fd(group_fd, "group_fd"),
        number(flags, "flags", _U64, what) | _FLAG_FD_CLOEXEC,
    )
    if result < 0:
        fail("perf_event_open", error, what or f"perf event type {type}")
    return good_fd(result)


def ioctl(fd: int, request: int, argument: int = 0, *, what: str = "") -> int:
    """Do an ``ioctl(2)`` with an integer argument."""
    result, error = syscall(
        NR_IOCTL,
        checked_fd(fd),
        number(request, "request", _U64, what),
        number(argument, "argument", _WORD, what),
    )
    if result < 0:
        fail(_IOCTLS.get(request, "ioctl"), error, what or f"fd {fd}")
    return result


_IOCTLS: Final = {
    PERF_EVENT_IOC_ENABLE: "PERF_EVENT_IOC_ENABLE",
    PERF_EVENT_IOC_DISABLE: "PERF_EVENT_IOC_DISABLE",
    PERF_EVENT_IOC_SET_BPF: "PERF_EVENT_IOC_SET_BPF",
}
