"""How the names of a module are spelled where the plain rules do not settle it.

Names meet: ``struct foo_bar`` and ``struct FooBar``, ``def`` and ``def_``, a struct
and the skeleton. Who needs no change keeps its name; of the others the first in the
object takes it, and the next are numbered: ``FooBar_2``. That depends on the object
alone. Options come on top: they change the names that they name and no other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from skelgen.codegen.names import HIDDEN_NAMES, fit, is_fit, is_keyword
from skelgen.errors import ConfigError, NamingError
from skelgen.near_names import or_near


class Wanted(NamedTuple):
    """A name that something would have if it were alone."""

    plain: str
    """In Python."""
    what: str
    """The thing named, with its name in C: ``map 'events'``."""
    verbatim: bool = False
    """Whether it is the name in C."""
    foreign: bool = False
    """Whether the name in C is none that C can have."""
    prefix: str = ""
    """Where the attribute is, for ``--rename``, if not where the scope is."""


def attribute(name: str, what: str, prefix: str = "") -> Wanted:
    """Return what a C name wants to be as an attribute."""
    plain = fit(name)
    return Wanted(plain, f"{what} '{name}'", plain == name, not is_fit(name), prefix)


class Spelling:
    """The names of one module: what was asked for, and what there is to tell."""

    def __init__(self, renames: Iterable[tuple[str, str]] = ()) -> None:
        self.renames: Mapping[str, str] = dict(renames)
        """Names that users chose, by the name without: ``maps.class_``."""
        self.notes: dict[str, str] = {}
        """Names that are spelled in another way than the plain rules say."""
        self.known: set[str] = set()
        """Every name that ``renames`` may name, where it names any."""

    def check(self) -> None:
        """Refuse to rename what is not there. Raises ConfigError."""
        for name in self.renames:
            if name not in self.known:
                raise ConfigError(
                    or_near(
                        f"rename '{name}': the module has no such name",
                        name,
                        self.known,
                    )
                )


class Scope:
    """The names of one class, or of the module's classes.

    ``where`` is what stands before them in Python: ``maps``, ``Event``; nothing for
    classes. ``reserved`` is what it needs for itself; ``sunder`` says whether names
    like ``_x_`` are reserved too, which enums, ctypes and the runtime use.
    """

    __slots__ = (
        "_finals",
        "_numbers",
        "_own",
        "_owners",
        "_reserved",
        "_spelling",
        "_sunder",
        "_told",
        "where",
    )

    def __init__(
        self,
        spelling: Spelling,
        where: str,
        reserved: Iterable[str] = (),
        *,
        sunder: bool = False,
    ) -> None:
        self.where = where
        self._spelling = spelling
        self._reserved = frozenset(reserved)
        self._sunder = sunder
        self._own: set[str] = set()
        self._owners: dict[str, str] = {}
        self._finals: dict[str, tuple[str, str]] = {}
        self._numbers: dict[str, int] = {}
        self._told: list[tuple[str, str]] = []

    def own(self, name: str, owner: str, *, fixed: bool = False) -> tuple[str, str]:
        """Take a name for what skelgen makes, which nothing of the object pushes aside.

        Return it as it is, and as it is without options.

        ``fixed`` where templates know it. Raises ConfigError for an option that
        renames it then.
        """
        if fixed and name in self._spelling.renames:
            raise ConfigError(f"rename '{name}': --name names {owner}, and its parts")
        if name in self._owners:
            name = self._numbered(name)
        self._own.add(name)
        self._owners[name] = owner
        if not fixed:
            self._told.append((name, ""))
        return self._final(name, name, owner), name

    def add(self, wanted: Wanted) -> tuple[str, str]:
        """Take in a name; return it as it is, and as it is without options.

        Raises NamingError where an option clashes.
        """
        name = wanted.plain
        why = ""
        if name in self._own:
            why = f", for '{name}' is {self._owners[name]}"
            name += "_"
        elif self._is_reserved(name):
            if not self.where:
                why = f", for '{name}' is a name that Python or the module needs"
            name += "_"
        if name in self._owners:
            other = self._owners[name]
            another = "another " if other == wanted.what else ""
            why = f", for '{name}' is {another}{other}"
            name = self._numbered(name)
        self._owners[name] = wanted.what
        asked = self._spelling.renames
        if not (why or wanted.foreign or asked):
            return name, name  # mostly
        path = self._path(name, wanted.prefix)
        note = f"{wanted.what} is '{path}'{why}" if why or wanted.foreign else ""
        self._told.append((path, "" if path in asked else note))
        return self._final(name, path, wanted.what), name

    def add_all(self, wanted: Sequence[Wanted]) -> list[tuple[str, str]]:
        """Take in names at once: those that need no change come first."""
        added: dict[int, tuple[str, str]] = {}
        for staying in (True, False):
            for index, one in enumerate(wanted):
                if self._stays(one) is staying:
                    added[index] = self.add(one)
        return [added[index] for index in range(len(wanted))]

    def _stays(self, wanted: Wanted) -> bool:
        """Tell whether a name needs no change."""
        name = wanted.plain
        return wanted.verbatim and name not in self._own and not self._is_reserved(name)

    def tell(self) -> None:
        """Let users know of the names; until then they are a trial."""
        for path, text in self._told:
            self._spelling.known.add(path)
            if text:
                self._spelling.notes[path] = text
        self._told.clear()

    def _path(self, name: str, prefix: str) -> str:
        prefix = prefix or self.where
        return f"{prefix}.{name}" if prefix else name

    def _numbered(self, name: str) -> str:
        number = self._numbers.get(name, 2)
        stem = name if name.endswith("_") else name + "_"
        while f"{stem}{number}" in self._owners:
            number += 1
        self._numbers[name] = number + 1
        return f"{stem}{number}"

    def _final(self, name: str, path: str, owner: str) -> str:
        """Return what an option makes of a name, and refuse that others have it."""
        final = self._spelling.renames.get(path, name)
        hides = not self.where and final in HIDDEN_NAMES
        if final != name and (hides or self._is_reserved(final)):
            raise NamingError(
                f"rename '{path}': '{final}' is a name that Python or the class needs"
            )
        other, whose = self._finals.setdefault(final, (path, owner))
        if other != path:
            if final == name:  # then the other one was renamed
                path, whose = other, owner
            raise NamingError(f"rename '{path}': '{final}' is {whose}")
        return final

    def _is_reserved(self, name: str) -> bool:
        """Tell whether a name is a keyword, or one that the class needs for itself."""
        if is_keyword(name) or name in self._reserved:
            return True
        return self._sunder and len(name) > 2 and name[0] == name[-1] == "_"
