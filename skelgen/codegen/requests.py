"""Requests of a user: ``--type``, ``--record`` and ``--rename``."""

from typing import NamedTuple

from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind

_KINDS: dict[str, tuple[Kind, ...]] = {
    "struct": (Kind.STRUCT,),
    "union": (Kind.UNION,),
    "enum": (Kind.ENUM, Kind.ENUM64),
}
_NAMED = (Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.TYPEDEF)


class Requests(NamedTuple):
    """Types, records and other spellings that a user names."""

    types: tuple[str, ...] = ()
    """``event``, ``struct event``, ``event_t``."""
    records: tuple[tuple[str, str], ...] = ()
    """Pairs of ring buffer and type."""
    renames: tuple[tuple[str, str], ...] = ()
    """Pairs of a name in Python, like ``maps.class_``, and what it is to be."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every type that is named, once, in order."""
        return tuple(
            dict.fromkeys((*self.types, *(type_ for _, type_ in self.records)))
        )


def bare(name: str) -> str:
    """Return a type's name without ``struct``, ``union`` or ``enum`` before it."""
    keyword, _, rest = name.partition(" ")
    return rest if keyword in _KINDS and rest else name


def find_type(btf: Btf | None, name: str) -> int | None:
    """Return the BTF type that a user means by ``event``, ``struct event``, ``event_t``.

    A struct, union or enum goes before a typedef of the same name. ``None`` when BTF
    has none, or only a declaration.
    """
    if btf is None:
        return None
    keyword = name.partition(" ")[0]
    for wanted in _KINDS.get(keyword, _NAMED):
        found = btf.find_all(bare(name), wanted)
        if found:
            return found[0]
    return None


def missing_types(btf: Btf | None, requests: Requests) -> tuple[str, ...]:
    """Return the types that BTF does not define, by their bare names."""
    names = (bare(name) for name in requests.names if find_type(btf, name) is None)
    return tuple(dict.fromkeys(names))
