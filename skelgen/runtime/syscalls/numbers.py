"""System call numbers, which differ by architecture."""

from __future__ import annotations

import os

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

# bpf, perf_event_open, close, fcntl, ioctl; from each architecture's syscall table
_GENERIC: Final = (280, 241, 57, 25, 29)
_NUMBERS: Final = {
    "x86_64": (321, 298, 3, 72, 16),
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
    "loongarch64": _GENERIC,
    "s390x": (351, 331, 6, 55, 54),
    "ppc64le": (361, 319, 6, 55, 54),
    "ppc64": (361, 319, 6, 55, 54),
}

MACHINE: Final = os.uname().machine
"""Architecture of the running kernel, as ``uname -m`` says."""

NR_BPF, NR_PERF_EVENT_OPEN, NR_CLOSE, NR_FCNTL, NR_IOCTL = _NUMBERS.get(
    MACHINE, _GENERIC
)

# calls newer than 5.1 have one number everywhere
NR_FSOPEN: Final = 430
NR_FSCONFIG: Final = 431
NR_FSMOUNT: Final = 432
