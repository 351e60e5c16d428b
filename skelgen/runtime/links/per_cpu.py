"""Links to one event on each of several CPUs, as one."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import StateError
from skelgen.runtime.kernel.cpus import text
from skelgen.runtime.links.base import Link
from skelgen.runtime.undo import Undo, raise_first

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from typing import Final

    from skelgen.runtime.links.base import AttachedProgram
    from skelgen.runtime.syscalls import LinkInfo


class PerCpuLink(Link):
    """The links of a program to an event on several CPUs, as one."""

    __slots__ = ("cpus", "links")

    def __init__(
        self, program: AttachedProgram, cpus: Sequence[int], links: Sequence[Link]
    ) -> None:
        self.program = program
        self.cpus: Final = tuple(cpus)
        """The CPUs, in the order of :attr:`links`."""
        self.links: Final = tuple(links)
        """A link a CPU."""

    @property
    def destroyed(self) -> bool:
        """Whether all of its links are destroyed."""
        return all(link.destroyed for link in self.links)

    @property
    def pin_path(self) -> str | None:
        """``None``: its links are pinned one by one."""
        return None

    def fd(self) -> int:
        """Raise :class:`StateError`: each of :attr:`links` has one."""
        raise self._one_by_one("fd()")

    fileno = fd

    def info(self) -> LinkInfo:
        """Raise :class:`StateError`: each of :attr:`links` has it."""
        raise self._one_by_one("info()")

    def update(
        self, program: AttachedProgram, *, old: AttachedProgram | None = None
    ) -> None:
        """Raise :class:`StateError`; the kernel updates no link to a perf event."""
        del program, old
        raise self._one_by_one("update()")

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Raise :class:`StateError`: each of :attr:`links` has a path of its own."""
        del path
        raise self._one_by_one("pin()")

    def unpin(self) -> None:
        """Raise :class:`StateError`, as :meth:`pin`."""
        raise self._one_by_one("unpin()")

    def detach(self) -> None:
        """Detach all of its links, and destroy them; see :meth:`Link.detach`."""
        self._each([link.detach for link in self.links])

    def destroy(self) -> None:
        """Destroy all of its links, also where one fails; the first is raised."""
        self._each([link.destroy for link in self.links])

    def _each(self, steps: list[Callable[[], None]]) -> None:
        undo = Undo()
        for step in reversed(steps):  # the first is done first
            undo.add(step)
        raise_first(undo.run())

    def _one_by_one(self, call: str) -> StateError:
        return StateError(
            f"{self.what}: it is {len(self.links)} links, one a CPU; {call} is for each"
            " of .links"
        )

    def __repr__(self) -> str:
        state = "destroyed" if self.destroyed else "attached"
        where = text(list(self.cpus))
        what = self.what.removeprefix("link").lstrip()
        return f"<{type(self).__name__} {what} on CPUs {where}: {state}>"
