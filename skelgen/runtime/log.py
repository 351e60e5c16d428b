"""Debug messages, to the logger ``skelgen`` of whoever uses :mod:`logging`.

Importing ``logging`` costs more than the rest of the runtime, and a program that
never imported it has nowhere to send a message to.
"""

import sys


def debug(message: str, *args: object) -> None:
    """Log ``message % args`` at level DEBUG if the program logs at all."""
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.getLogger("skelgen").debug(message, *args)
