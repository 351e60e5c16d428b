"""The choices of a user that change the module of an object."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from skelgen.codegen.text import doc
from skelgen.errors import ConfigError

_is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_is_declarator = re.compile(r"[\w\s*;\[\]]*").fullmatch
"""Text that C takes where a type is named, but that names none: ``int *``."""
_is_type = re.compile(r"(?:(?:struct|union|enum) )?[A-Za-z_][A-Za-z0-9_]*").fullmatch


class Options(NamedTuple):
    """Choices that change the module of an object."""

    name: str | None = None
    """Name of the object and the skeleton; ``None`` for the one of the file."""
    types: tuple[str, ...] = ()
    """C types to emit beside those in use."""
    records: tuple[tuple[str, str], ...] = ()
    """Pairs of ring buffer and C type of its records."""
    renames: tuple[tuple[str, str], ...] = ()
    """Pairs of a name of the module and what it is to be instead."""
    command: tuple[str, ...] = ()
    """Command that makes the module again; none for skelgen with these options."""

    @classmethod
    def of(
        cls,
        name: str | None = None,
        types: Sequence[str] = (),
        records: Sequence[tuple[str, str]] = (),
        renames: Sequence[tuple[str, str]] = (),
    ) -> "Options":
        """Check what a user gave. Raises ConfigError."""
        if name is not None and not _is_name(name):
            raise ConfigError(f"name '{doc(name)}': not a C identifier")
        for map_, _ in records:
            if not map_.isprintable():
                raise ConfigError(f"record '{doc(map_)}': not a map's name")
        for index, (old, new) in enumerate(renames):
            if not _is_name(new) or new.startswith("_"):
                raise ConfigError(
                    f"rename '{doc(old)}': '{doc(new)}' is no Python name of ASCII"
                    " letters, digits and _ that begins with a letter"
                )
            if old in (known for known, _ in renames[:index]):
                raise ConfigError(f"rename '{doc(old)}': given twice")
        return cls(
            name,
            tuple(map(_c_type, types)),
            tuple((map_, _c_type(type_)) for map_, type_ in records),
            tuple((old, new) for old, new in renames),
        )

    def arguments(self) -> tuple[str, ...]:
        """Return them as arguments of the command line."""
        name = ("--name", self.name) if self.name else ()
        types = [word for type_ in self.types for word in ("--type", type_)]
        records = [
            word
            for map_, type_ in self.records
            for word in ("--record", f"{map_}={type_}")
        ]
        renames = [
            word for old, new in self.renames for word in ("--rename", f"{old}={new}")
        ]
        return (*name, *types, *records, *renames)


def _c_type(text: str) -> str:
    name = " ".join(text.split())
    if not _is_type(name) and (not text.isprintable() or _is_declarator(name)):
        raise ConfigError(
            f"type '{doc(text)}': not the name of a C type, like 'event' or"
            " 'struct event'"
        )
    return name
