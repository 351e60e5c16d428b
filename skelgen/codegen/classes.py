"""The classes of a generated module that stand for C types."""

import re
from typing import NamedTuple

from skelgen.codegen.pretty import flat
from skelgen.codegen.structs import Layout, Member
from skelgen.codegen.text import code, sentence, words

_BUILTINS = frozenset({"bool", "bytes", "float", "int", "tuple"})


class EnumClass(NamedTuple):
    """An ``enum.IntEnum`` of a generated module."""

    name: str
    doc: str
    values: tuple[tuple[str, int], ...]
    """Pairs of enumerator and value."""
    kind: str = "enum"
    public: bool = True


class StructClass(NamedTuple):
    """An ``rt.Struct``, ``rt.Union`` or ``rt.Shadow`` of a generated module."""

    name: str
    base: str
    """``rt.Struct``, ``rt.Union`` or ``rt.Shadow``."""
    doc: str
    size: int
    members: tuple[Member, ...]
    kind: str = "struct"

    @property
    def public(self) -> bool:
        """Whether users are meant to name the class."""
        return not self.name.startswith("_")


def _unshadowed(members: list[Member]) -> tuple[Member, ...]:
    """Return members with annotations that no member's own name changes.

    In ``class Traffic: bytes: int = ...; comm: bytes = ...`` the second ``bytes`` would
    be the member, not the type.
    """
    hidden = _BUILTINS & {member.name for member in members}
    if not hidden:
        return tuple(members)
    pattern = re.compile(rf"\b({'|'.join(sorted(hidden))})\b")
    return tuple(
        member._replace(annotation=pattern.sub(r"builtins.\1", member.annotation))
        for member in members
    )


def struct_class(name: str, doc: str, layout: Layout) -> StructClass:
    """Return the class of a struct or union; ``doc`` begins its docstring."""
    base = "rt.Union" if layout.is_union else "rt.Struct"
    if layout.is_shadow:
        base = "rt.Shadow"
        doc += ", settable before ``load()``"
    if layout.left_out:
        names = ", ".join(map(code, layout.left_out))
        doc += f"; pointers to data left out: {names}"
    members = _unshadowed(layout.members)
    return StructClass(name, base, sentence(doc), layout.size, members)


def names_used(layout: Layout) -> set[str]:
    """Return the names that the body of a struct looks up, which no member may hide.

    Types of Python itself are not among them: :func:`_unshadowed` sees to those.
    """
    used = {"builtins", "rt"}
    for member in layout.members:
        used |= words(member.annotation) | words(flat(member.codec))
    return used - _BUILTINS
