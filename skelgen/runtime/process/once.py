"""Answers that are worked out once in a process, whichever thread asks first."""

from __future__ import annotations

from _thread import get_ident

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar, cast
from skelgen.runtime.process.forks import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, Final

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")

_PATIENCE: Final = 10.0
"""Seconds that a thread waits for another's answer before it works it out itself: two
threads that wait for each other, by way of a signal handler, come free."""


class Once(Generic[T]):
    """The answer of a function without arguments, asked once.

    Other threads wait for it. An exception is no answer: the next one asks again. So
    does who asks in the middle, the function itself or a signal handler, unless there
    is an answer for that: ``meanwhile()``.
    """

    __slots__ = ("_ask", "_asking", "_known", "_lock", "_meanwhile", "_value")

    def __init__(
        self, ask: Callable[[], T], meanwhile: Callable[[], T] | None = None
    ) -> None:
        self._ask: Final = ask
        self._meanwhile: Final = ask if meanwhile is None else meanwhile
        self._lock: Final = Lock()
        self._asking: int | None = None
        self._known = False
        self._value: T | None = None

    def __call__(self) -> T:
        """Return the answer."""
        if not self._known:
            if self._asking == get_ident():
                return self._meanwhile()
            held = self._lock.acquire(timeout=_PATIENCE)
            try:
                if not self._known:
                    self._find_out()
            finally:
                if held:
                    self._lock.release()
        return cast("T", self._value)

    def _find_out(self) -> None:
        self._asking = get_ident()
        try:
            value = self._ask()
        finally:
            self._asking = None
        if not self._known:  # by a signal handler, or by who did not wait for us
            self.set(value)

    def set(self, value: T) -> None:
        """Take an answer as found out."""
        self._value = value
        self._known = True

    def forget(self) -> None:
        """Ask again the next time."""
        self._known = False


def one_each(function: F) -> F:
    """Make a function return one and the same object for the same arguments.

    As :func:`functools.cache`, which may give two threads two objects when both are
    the first to ask. Arguments are positional.
    """
    made: dict[tuple[Hashable, ...], Any] = {}

    def answer(*arguments: Any) -> Any:  # noqa: ANN401 (as the function's)
        try:
            return made[arguments]
        except KeyError:
            return made.setdefault(arguments, function(*arguments))

    answer.__doc__ = function.__doc__
    return cast("F", answer)
