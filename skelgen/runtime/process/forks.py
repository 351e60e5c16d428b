"""Repairs that a forked child makes first to what it has from its parent.

Only the thread that called ``fork()`` goes on in the child. It would wait in vain for a
lock or a buffer that another thread was about to give back. Whoever keeps such a thing
registers, and is called in the child before anything else is.
"""

from __future__ import annotations

import os
from _thread import RLock  # threading's, without importing it
from _weakref import ref

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from typing import Final


class Inherited(Protocol):
    """A thing that a forked child has to repair."""

    def after_fork(self) -> None:
        """Make it good for a child, which has one thread by now."""
        ...


_registered: Final[set[ref[Inherited]]] = set()


def register(thing: Inherited) -> None:
    """Have ``after_fork()`` called in forked children, as long as it lives."""
    _registered.add(ref(thing, _registered.discard))


class Lock(RLock):  # type: ignore[misc] # pyright: ignore[reportGeneralTypeIssues] # final there alone
    """A reentrant lock, which a forked child has anew.

    Reentrant, because a signal handler or a finalizer may come to where its own
    thread holds it. Let it be held by ``with`` alone: nothing can come between.
    """

    __slots__ = ()

    def __init__(self) -> None:
        register(self)

    def after_fork(self) -> None:
        """Take it from a thread that is not here; what this thread holds stays held."""
        if self.acquire(blocking=False):
            self.release()
        else:
            # as threading and logging do with theirs
            self._at_fork_reinit()  # type: ignore[attr-defined] # of CPython, from 3.9 on


def _in_child() -> None:
    for each in tuple(_registered):
        thing = each()
        if thing is None:
            continue
        try:
            thing.after_fork()
        except Exception as error:  # noqa: BLE001 - the others still matter
            debug("after fork: %s", error)


os.register_at_fork(after_in_child=_in_child)
