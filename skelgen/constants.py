"""Enumerations that are quick to define, for what every process imports.

``class Kind(Constants)`` is ``class Kind(IntEnum)`` in two fifths of the time: the
constants are numbers, and need none of the checks that ``enum`` makes of each. It has
a way without them, for the standard library's own.
"""

import enum

__all__ = ("Constants",)

TYPE_CHECKING = False
if TYPE_CHECKING or not hasattr(enum, "_simple_enum"):
    from enum import IntEnum as Constants
else:

    class _Quick(type):
        """Makes an ``IntEnum`` of a class body."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            return enum._simple_enum(enum.IntEnum)(type(name, (), body))  # noqa: SLF001

    class Constants(metaclass=_Quick):
        """Base of an ``IntEnum``."""
