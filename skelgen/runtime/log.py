"""Debug messages, warnings, and the time that each step of a load takes."""

from __future__ import annotations

# pyright: reportPrivateUsage=false
# threading and warnings take the same from the same places
import sys
from _thread import _local  # threading's, without importing it
from _warnings import warn  # of warnings, without importing it
from time import perf_counter

from skelgen._log import debug, debug_logger, shown
from skelgen._typing import TYPE_CHECKING
from skelgen.plain import plain_lines

if TYPE_CHECKING:
    from logging import Logger
    from types import FrameType, TracebackType
    from typing import Self


__all__ = ("Step", "debug", "step", "warn_caller")


def warn_caller(message: str) -> None:
    """Warn (:class:`RuntimeWarning`) where the program called this package."""
    level = 1
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as logging does
    while frame is not None and frame.f_globals["__name__"].startswith("skelgen."):
        frame = frame.f_back
        level += 1
    warn(plain_lines(message), RuntimeWarning, stacklevel=level)


class Step:
    """One step of a load or attach: a context manager that logs how long it took.

    Steps may be inside each other. A line has the time of its own step, without that
    of the steps inside and of the logging, so that the times add up to the whole.
    """

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def done(self, message: str, *args: object) -> None:
        """Say what it did, for the line."""


_OFF = Step()
_inside = _local()


class _TimedStep(Step):
    """A step whose time is taken."""

    __slots__ = (
        *("_done", "inner", "_logger", "lost", "_outer"),
        *("_silent", "_start", "_total", "_what"),
    )

    def __init__(self, logger: Logger, what: str, *, total: bool, silent: bool) -> None:
        self._logger = logger
        self._what = what
        self._total = total
        self._silent = silent
        """Whether it is no line unless it says what it did."""
        self._done = "done"
        self.inner = 0.0
        self.lost = 0.0
        """Seconds in steps inside, and of these in logging."""

    def __enter__(self) -> Self:
        self._outer: _TimedStep | None = getattr(_inside, "step", None)
        _inside.step = self
        self._start = perf_counter()
        return self

    def done(self, message: str, *args: object) -> None:
        """Say what it did, for the line."""
        self._done = message % tuple(map(shown, args))
        self._silent = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end = perf_counter()
        outer = _inside.step = self._outer
        if error is not None:
            self._done = f"failed with {type(error).__name__}"
        elif self._silent:  # its time is the outer step's
            if outer is not None:
                outer.inner += self.inner
                outer.lost += self.lost
            return
        took = end - self._start
        own, whole = (took - self.inner) * 1e3, (took - self.lost) * 1e3
        if self._total:
            text = "%s: %s, %.3f ms in all, of which %.3f ms have no line above"
            self._logger.debug(text, self._what, self._done, whole, own)
        else:
            self._logger.debug("%s: %s, %.3f ms", self._what, self._done, own)
        if outer is not None:
            spent = perf_counter() - self._start
            outer.inner += spent
            outer.lost += self.lost + spent - took


def step(what: str, *args: object, total: bool = False, silent: bool = False) -> Step:
    """Return a context manager for one step, with ``what % args`` it is about.

    ``total``: it is a whole load or attach, whose line comes last. ``silent``: it has
    a line only if it says what it did. Costs nearly nothing where nobody logs.
    """
    logger = debug_logger()
    if logger is None:
        return _OFF
    text = what % tuple(map(shown, args)) if args else what
    return _TimedStep(logger, text, total=total, silent=silent)
