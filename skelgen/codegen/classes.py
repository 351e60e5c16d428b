"""The classes of a generated module that stand for C types."""

import re
from typing import NamedTuple

from skelgen.codegen.pretty import Expr, Group, flat, strings
from skelgen.codegen.structs import Layout, Member, Place
from skelgen.codegen.text import code, count, words

_BUILTINS = frozenset({"bool", "bytes", "float", "int"})


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
    """Attributes that are declared one by one: none in the class of an anonymous
    member, whose attributes are the outer struct's."""
    entries: tuple[Expr, ...]
    anonymous: tuple[str, ...]
    offsets: tuple[int, ...]
    packed: bool
    kind: str = "struct"

    @property
    def fields(self) -> Group:
        """``_fields_``."""
        return Group("_fields_ = ", self.entries, "[]", spread=True)

    @property
    def anonymous_names(self) -> Group:
        """``_anonymous_``."""
        return strings("_anonymous_", self.anonymous)

    @property
    def constructed(self) -> bool:
        """Whether users make some of their own, with members as arguments."""
        return bool(self.members) and self.base != "rt.Shadow"

    @property
    def constructor(self) -> Group:
        """Signature for type checkers."""
        parameters = [
            member.parameter
            for member in self.members
            if member.place not in {Place.FLEXIBLE, Place.TEXT}
        ]
        taken = any(member.name == "self" for member in self.members)
        this = ("_self", "/") if taken else ("self",)
        items = (*this, "*", *parameters) if parameters else this
        return Group("def __init__", items)

    @property
    def check(self) -> Group:
        """The comparison of the class with BTF's layout."""
        offsets = Group("offsets=", tuple(map(str, self.offsets)))
        return Group("rt.check_layout", (self.name, f"size={self.size}", offsets))

    @property
    def public(self) -> bool:
        """Whether users are meant to name the class."""
        return not self.name.startswith("_")


def _unshadowed(members: list[Member]) -> tuple[Member, ...]:
    """Return members with annotations that no member's own name changes.

    In ``class Traffic: bytes: int; comm: bytes`` the second ``bytes`` would be the
    member, not the type.
    """
    hidden = _BUILTINS & {member.name for member in members}
    if not hidden:
        return tuple(members)
    pattern = re.compile(rf"\b({'|'.join(sorted(hidden))})\b")

    def qualified(annotation: str) -> str:
        return pattern.sub(r"builtins.\1", annotation)

    return tuple(
        member._replace(
            shape=member.shape._replace(
                annotation=qualified(member.shape.annotation),
                parameter=qualified(member.shape.parameter),
            ),
        )
        for member in members
    )


def struct_class(
    name: str, doc: str, layout: Layout, *, anonymous: bool = False
) -> StructClass:
    """Return the class of a struct or union, or of an anonymous member.

    ``doc`` is how its docstring begins.
    """
    base = "rt.Union" if layout.is_union else "rt.Struct"
    doc = f"{doc}, {count(layout.size, 'byte')}"
    if layout.is_shadow:
        base = "rt.Shadow"
        doc += ", settable before ``load()``"
    if layout.left_out:
        names = ", ".join(map(code, layout.left_out))
        doc += f"; pointers to data left out: {names}"
    return StructClass(
        name,
        base,
        f"{doc}.",
        layout.size,
        () if anonymous else _unshadowed(layout.members),
        tuple(layout.entries),
        tuple(layout.anonymous),
        tuple(layout.offsets),
        layout.packed,
    )


def names_used(layout: Layout) -> set[str]:
    """Return the names that the body of a struct looks up, which no member may hide.

    Types of Python itself are not among them: :func:`_unshadowed` sees to those.
    """
    used = {"TYPE_CHECKING", "builtins"}
    for entry in layout.entries:
        used |= words(flat(entry.items[1]))
    for member in layout.members:
        used |= words(member.annotation) | words(member.shape.parameter)
        if member.place is not Place.FIELD:
            used |= words(flat(member.shape.codec)) | {"rt"}
    return used - _BUILTINS
