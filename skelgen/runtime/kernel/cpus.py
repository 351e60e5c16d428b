"""Which CPUs are there, as the kernel numbers them."""

from __future__ import annotations

import os

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

ONLINE: Final = "/sys/devices/system/cpu/online"


def parse(ranges: str) -> list[int]:
    """Return the CPUs of a list such as ``0-3,8``. Raises ValueError."""
    found: list[int] = []
    for part in ranges.strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def text(cpus: list[int]) -> str:
    """Return CPUs as the kernel writes them: ``0-3,8``."""
    parts: list[str] = []
    for start in (cpu for cpu in cpus if cpu - 1 not in cpus):
        end = start
        while end + 1 in cpus:
            end += 1
        parts.append(str(start) if end == start else f"{start}-{end}")
    return ",".join(parts)


def online() -> list[int]:
    """Return the CPUs that run now.

    Where ``/sys`` is hidden, as in some containers, those that this process may use.
    """
    try:
        with open(ONLINE, encoding="ascii") as file:
            return parse(file.read())
    except (OSError, ValueError):
        return sorted(os.sched_getaffinity(0))
