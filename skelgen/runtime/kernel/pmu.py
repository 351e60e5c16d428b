"""Performance monitoring units, as sysfs lists them."""

from __future__ import annotations


def pmu_number(pmu: str, attribute: str) -> int | None:
    """Return a number from the folder of a PMU, or ``None`` if there is none.

    ``config:32-63`` gives 32, the lowest bit of the field.
    """
    path = f"/sys/bus/event_source/devices/{pmu}/{attribute}"
    try:
        with open(path, encoding="ascii") as file:
            text = file.read().strip()
    except OSError:
        return None
    digits = text.rpartition(":")[2].partition("-")[0]
    return int(digits) if digits.isdigit() else None
