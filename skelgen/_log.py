"""Debug messages, to the logger ``skelgen`` of whoever uses :mod:`logging`.

Importing ``logging`` costs more than the rest of the runtime, and a program that
never imported it has nowhere to send a message to.
"""

import sys

from skelgen.plain import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

_DEBUG = 10  # logging.DEBUG


def debug(message: str, *args: object) -> None:
    """Log ``message % args`` at level DEBUG if the program logs at all."""
    logger = debug_logger()
    if logger is not None:
        logger.debug(message, *map(shown, args))


def debug_logger() -> "Logger | None":
    """Return the logger if it takes messages of level DEBUG."""
    logging = sys.modules.get("logging")
    if logging is None:
        return None
    logger: Logger = logging.getLogger("skelgen")
    return logger if logger.isEnabledFor(_DEBUG) else None


def shown(value: object) -> object:
    """Return an argument of a message; names in it may play no tricks on a terminal."""
    return value if isinstance(value, (int, float)) else plain(str(value))
