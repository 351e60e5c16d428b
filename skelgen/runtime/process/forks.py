"""What a forked child does first with what it has from its parent.

Of the parent's threads only the one that called ``fork()`` goes on in the child. What
another one was about to give back, a lock or a buffer, it would wait for in vain.
Whoever keeps something of that kind registers, and is called in the child before
anything else is.
"""

# pyright: reportPrivateUsage=false
# what is called after a fork is of the runtime alone

from __future__ import annotations

import os
from _thread import RLock  # threading's, without importing it
from _weakref import ref

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from typing import Final


class Inherited(Protocol):
    """What is no more in a child as the parent left it."""

    def _after_fork(self) -> None:
        """Make it good for a child, which has one thread by now."""
        ...


_registered: Final[set[ref[Inherited]]] = set()


def register(thing: Inherited) -> None:
    """Have ``_after_fork()`` called in forked children, as long as it lives."""
    _registered.add(ref(thing, _registered.discard))


class Lock(RLock):  # type: ignore[misc] # pyright: ignore[reportGeneralTypeIssues] # final there alone
    """A reentrant lock, which a forked child has anew.

    Reentrant, because a signal handler or a finalizer may come to where its own
    thread holds it. Let it be held by ``with`` alone: nothing can come between.
    """

    __slots__ = ()

    def __init__(self) -> None:
        register(self)

    def _after_fork(self) -> None:
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
            thing._after_fork()  # noqa: SLF001 - ours
        except Exception as error:  # noqa: BLE001 - the others still matter
            debug("after fork: %s", error)


os.register_at_fork(after_in_child=_in_child)
