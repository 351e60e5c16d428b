"""Names of the kernel's constants, which may be newer than the enumerations here."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enum import IntEnum


def name_of(number: int, enum: type[IntEnum]) -> str:
    """Return the name of a constant, its number where the enumeration lacks it."""
    try:
        return enum(number).name
    except ValueError:
        return str(number)
