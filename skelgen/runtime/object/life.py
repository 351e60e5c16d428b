"""The life of an object: its state, and the rule that one call at a time changes it."""

from __future__ import annotations

import os
from _thread import get_ident
from enum import Enum

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.runtime.errors import ClosedError, StateError
from skelgen.runtime.process.forks import Lock, register
from skelgen.runtime.undo import Undo, raise_first

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

T = TypeVar("T")


class State(Enum):
    """Where an object is in its life."""

    OPENED = "opened"
    PREPARED = "prepared"
    LOADED = "loaded"
    DESTROYED = "destroyed"


class Life:
    """The state of an object, and the call that changes it.

    Other threads wait for that call. A signal handler that interrupts it cannot make
    another one; it can destroy the object, which then happens at the end of the call.
    """

    __slots__ = (
        "__weakref__",
        "_doomed",
        "_ending",
        "_runner",
        "_running",
        "_whose",
        "lock",
        "pid",
        "state",
    )

    def __init__(self, whose: str) -> None:
        self._whose: Final = whose
        self.lock: Final = Lock()
        self.state = State.OPENED
        self.pid = 0
        """The process that made the maps."""
        self._running = ""
        self._runner = 0
        """The call that may not be come between, and its thread."""
        self._doomed = False
        """Whether to destroy the object when that is done."""
        self._ending: Final = Undo()
        register(self)

    @property
    def made(self) -> bool:
        """Whether the maps are there: prepared or loaded, and not destroyed."""
        return self.state in {State.PREPARED, State.LOADED}

    def check_alive(self, call: str) -> None:
        """Raise :class:`ClosedError` for a call after the end."""
        if self.state is State.DESTROYED:
            raise ClosedError(f"{self._whose}: {call} after destroy(); open it again")

    def check_loaded(self, call: str) -> None:
        """Raise :class:`StateError` for a call before load, too."""
        self.check_alive(call)
        if self.state is not State.LOADED:
            raise StateError(f"{self._whose}: {call} comes after load()")

    def reach(self, state: State) -> None:
        """Note that the object is prepared or loaded, by this process."""
        self.state = state
        self.pid = os.getpid()

    def alone(self, call: str, run: Callable[[], T], destroy: Callable[[], None]) -> T:
        """Run a call that nothing comes between, then ``destroy`` if it was asked for."""
        with self.lock:
            if self._running:
                raise StateError(
                    f"{self._whose}: {call} by a signal handler that interrupted"
                    f" {self._running}; call it when that is done"
                )
            done = False
            try:
                self._runner = get_ident()
                self._running = call
                result = run()
                done = True
            finally:
                self._running = ""
                self._runner = 0
                if self._doomed:
                    self._doomed = False
                    destroy()
            if done and self.state is State.DESTROYED:
                raise ClosedError(
                    f"{self._whose}: destroyed by a signal handler that interrupted"
                    f" {call}"
                )
            return result

    def end(self, add_steps: Callable[[Undo], None]) -> None:
        """Take every step of the end, once; the first failure is raised."""
        with self.lock:
            if self._running:  # by this thread, which a signal handler interrupted
                self._doomed = True
                return
            if self.state is not State.DESTROYED:
                # in this order: a child forked in between begins anew
                add_steps(self._ending)
                self.state = State.DESTROYED
            elif self._runner:  # another call, which a signal handler may be in
                return
            self._runner = get_ident()
        # without the lock: a reader may have to end first, whose signal handler wants it
        try:
            raise_first(self._ending.run())
        finally:
            self._runner = 0

    def after_fork(self) -> None:
        """Forget a call of a thread that a forked child does not have.

        The child's own call of destroy() does what that call did not come to.
        """
        if self._runner != get_ident():
            self._running = ""
            self._runner = 0
            self._doomed = False
