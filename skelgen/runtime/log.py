"""Debug messages, to the logger ``skelgen`` of whoever uses :mod:`logging`.

Importing ``logging`` costs more than the rest of the runtime, and a program that
never imported it has nowhere to send a message to.
"""

from __future__ import annotations

import sys
from _warnings import warn  # of warnings, without importing it

from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def debug(message: str, *args: object) -> None:
    """Log ``message % args`` at level DEBUG if the program logs at all."""
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.getLogger("skelgen").debug(message, *args)


def warn_caller(message: str) -> None:
    """Warn (:class:`RuntimeWarning`) where the program called this package."""
    level = 1
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as logging does
    while frame is not None and frame.f_globals["__name__"].startswith("skelgen."):
        frame = frame.f_back
        level += 1
    warn(message, RuntimeWarning, stacklevel=level)
