"""The report of a load that went on without some parts."""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.plain import plain
from skelgen.runtime.errors import BpfError
from skelgen.runtime.listing import Listed
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Literal, TypeAlias

Kind: TypeAlias = 'Literal["map", "program"]'


class LoadFailure(Record):
    """One map or program that ``load(strict=False)`` did without."""

    kind: Kind
    """A struct_ops variable and a data section are maps."""
    name: str
    """Name in C; a data section's ELF name."""
    error: BpfError
    """The error that a strict load would have raised."""

    def __str__(self) -> str:
        text = str(self.error)
        if f"'{self.name}'" in text.partition("\n")[0]:
            return text
        return f"{self.kind} '{plain(self.name)}': {text}"


class LoadReport(Listed):
    """The result of ``load()``: true when all was loaded, else the failures in order."""

    __slots__ = ("failures",)

    def __init__(self, failures: tuple[LoadFailure, ...] = ()) -> None:
        self.failures = failures
        """In the order of the load: maps, then programs."""

    def __bool__(self) -> bool:
        return not self.failures

    def __iter__(self) -> Iterator[LoadFailure]:
        return iter(self.failures)

    @property
    def programs(self) -> dict[str, BpfError]:
        """Why programs were not loaded, by name."""
        return {f.name: f.error for f in self.failures if f.kind == "program"}

    @property
    def maps(self) -> dict[str, BpfError]:
        """Why maps were not made, by name."""
        return {f.name: f.error for f in self.failures if f.kind == "map"}

    def __str__(self) -> str:
        if not self.failures:
            return "all loaded"
        lines = [f"not loaded: {_named(self.failures)}"]
        for failure in self.failures:
            text = str(failure).replace("\n", "\n  ")
            lines.append(f"  {text}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        text = f"without {_named(self.failures)}" if self.failures else "all loaded"
        return f"<load report: {text}>"


def _named(failures: tuple[LoadFailure, ...]) -> str:
    return ", ".join(f"{kind} '{plain(name)}'" for kind, name, _ in failures)


class Failures:
    """The failures of one load, where it goes on; else it lets the first one pass."""

    __slots__ = ("_found", "lenient")

    def __init__(self, *, lenient: bool) -> None:
        self.lenient = lenient
        """Whether the load goes on."""
        self._found: dict[tuple[Kind, str], LoadFailure] = {}

    def guard(
        self, kind: Kind, name: str, undo: Callable[[], object] | None = None
    ) -> _Guard:
        """Return a context manager for the part of the load that is about one thing.

        ``undo`` takes back what a failed part has done so far.
        """
        return _Guard(self, kind, name, undo)

    def add(self, kind: Kind, name: str, error: BpfError) -> None:
        """Note a failure; raise it where the load is strict."""
        if not self.lenient:
            raise error
        debug("%s", error)
        drop_frames(error)
        self._found.setdefault((kind, name), LoadFailure(kind, name, error))

    def error(self, kind: Kind, name: str) -> BpfError | None:
        """Return why something is missing; ``None`` if nothing failed."""
        found = self._found.get((kind, name))
        return None if found is None else found.error

    def further(self, *, lenient: bool) -> Failures:
        """Return the same for another part of the load, which these are known to."""
        failures = Failures(lenient=lenient)
        failures._found.update(self._found)
        return failures

    def report(self) -> LoadReport:
        """Return all of them, maps first."""
        ordered = sorted(self._found.values(), key=lambda failure: failure.kind)
        return LoadReport(tuple(ordered))


def drop_frames(error: BaseException | None) -> None:
    """Let go of the frames of a call, which hold its memory and fds."""
    while error is not None:
        error.__traceback__ = None
        if error.__cause__ is not error.__context__:
            drop_frames(error.__cause__)
        error = error.__context__


class _Guard:
    """The guard around one part of a load."""

    __slots__ = ("_failures", "_kind", "_name", "_undo")

    def __init__(
        self,
        failures: Failures,
        kind: Kind,
        name: str,
        undo: Callable[[], object] | None,
    ) -> None:
        self._failures = failures
        self._kind: Kind = kind
        self._name = name
        self._undo = undo

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not self._failures.lenient or not isinstance(error, BpfError):
            return False
        if self._undo is not None:
            self._undo()
        self._failures.add(self._kind, self._name, error)
        return True
