"""The names of a module's classes, given out before a class is made.

Types with a name in C are named first, in the order of BTF, so that neither the order of
use nor a type without a name pushes it aside. Equal types share a class: BTF that was
not deduplicated has them once a compile unit.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from skelgen.btf import types as bt
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import MAX_CHAIN, MAX_NESTING, skip_mods_and_typedefs
from skelgen.codegen.names import camel, is_fit
from skelgen.codegen.spelling import Scope, Wanted
from skelgen.codegen.text import code

Classy: TypeAlias = bt.Enum | bt.Enum64 | bt.Struct | bt.Union


class ClassName(NamedTuple):
    """The name of a class, and of what it stands for."""

    name: str
    plain: str
    """The name without options."""
    owner: str
    """In messages: ``struct 'event'``."""
    doc: str
    """How its docstring begins."""


def kind(type_: Classy) -> str:
    """Return the keyword of C."""
    if isinstance(type_, bt.Struct):
        return "struct"
    return "union" if isinstance(type_, bt.Union) else "enum"


class ClassNames:
    """Which class a type with a name has."""

    def __init__(self, btf: Btf, scope: Scope) -> None:
        self._btf = btf
        self._scope = scope
        self._same: dict[int, int] = {}
        """From a type to the one that it equals, mostly itself."""
        self._names: dict[int, ClassName] = {}
        self._seen: set[int] = set()
        self._rivals: dict[tuple[str, str], list[int]] = {}
        self._layouts: dict[tuple[str, str], dict[object, int]] = {}
        self._shapes: dict[int, object] = {}
        self._numbers: dict[object, int] = {}

    def same(self, type_id: int) -> int:
        """Return the type whose class a type shares."""
        return self._same.get(type_id, type_id)

    def of(self, type_id: int) -> ClassName | None:
        """Return the class of a type; None where neither it nor a typedef has a name."""
        return self._names.get(self.same(type_id))

    def plan(self, roots: Iterable[int], *, members_of: Sequence[int] = ()) -> None:
        """Name all types that values of some types consist of.

        Of the structs ``members_of`` their members alone.
        """
        found = self._walk([*roots, *self._members(members_of)])
        new: list[tuple[int, str, str]] = []
        for type_id, word, name in sorted(found):
            key = (word, name)
            same = self._equal(key, type_id)
            if same == type_id:
                self._rivals.setdefault(key, []).append(type_id)
                new.append((type_id, word, name))
            self._same[type_id] = same
        wanted = [
            Wanted(
                camel(name), f"{word} '{name}'", camel(name) == name, not is_fit(name)
            )
            for _, word, name in new
        ]
        for (type_id, word, name), one, (final, plain) in zip(
            new, wanted, self._scope.add_all(wanted), strict=True
        ):
            text = name if word == "typedef" else f"{word} {name}"
            self._names[type_id] = ClassName(final, plain, one.what, code(text))

    def _members(self, structs: Sequence[int]) -> list[int]:
        """Return the types of members that the shadow of a struct has."""
        found: list[int] = []
        for type_id in structs:
            struct = self._btf.type(type_id)
            if isinstance(struct, bt.Struct):
                found += [member.type_id for member in struct.members]
        return found

    def _walk(self, roots: Sequence[int]) -> list[tuple[int, str, str]]:
        """Return number, kind and name of what is reached for the first time."""
        found: list[tuple[int, str, str]] = []
        todo = list(reversed(roots))
        while todo:
            type_id, alias = self._bare(todo.pop())
            if type_id in self._seen:
                continue
            self._seen.add(type_id)
            type_ = self._btf.type(type_id)
            if isinstance(type_, bt.Array):
                todo.append(type_.type_id)
                continue
            if isinstance(type_, bt.Struct | bt.Union):
                todo += [member.type_id for member in reversed(type_.members)]
            elif not isinstance(type_, bt.Enum | bt.Enum64):
                continue
            if type_.name:
                found.append((type_id, kind(type_), type_.name))
            elif alias:
                found.append((type_id, "typedef", alias))
        return found

    def _bare(self, type_id: int) -> tuple[int, str]:
        """Return a type without modifiers and typedefs, and the last of these."""
        alias = ""
        for _ in range(MAX_CHAIN):
            type_ = self._btf.type(type_id)
            if isinstance(type_, bt.Typedef):
                alias = type_.name
            elif not isinstance(type_, bt.Modifier):
                break
            type_id = type_.type_id
        return type_id, alias

    def _equal(self, key: tuple[str, str], type_id: int) -> int:
        """Return a type of the same name that looks the same, if only itself."""
        rivals = self._rivals.get(key)
        if rivals is None:
            return type_id  # mostly: its layout is of no interest then
        known = self._layouts.setdefault(key, {})
        if not known:
            known[self._number(rivals[0], 0)] = rivals[0]
        return known.setdefault(self._number(type_id, 0), type_id)

    def _number(self, type_id: int, depth: int) -> int:
        """Return a number that equal types share."""
        type_id = skip_mods_and_typedefs(self._btf, type_id)
        shape = self._shapes.get(type_id)
        if shape is None:
            # one that contains itself equals nothing; making its class refuses it
            self._shapes[type_id] = type_id
            shape = type_id if depth > MAX_NESTING else self._shape(type_id, depth)
            self._shapes[type_id] = shape
        return self._numbers.setdefault(shape, len(self._numbers))

    def _shape(self, type_id: int, depth: int) -> object:
        """Return what values of a type look like, pointers' targets aside."""
        type_ = self._btf.type(type_id)
        if isinstance(type_, bt.Struct | bt.Union):
            members = tuple(
                (*member._replace(type_id=0), self._number(member.type_id, depth + 1))
                for member in type_.members
            )
            return kind(type_), type_.name, type_.size, members
        if isinstance(type_, bt.Array):
            return "array", type_.nelems, self._number(type_.type_id, depth + 1)
        if isinstance(type_, bt.Int | bt.Float | bt.Enum | bt.Enum64):
            return type(type_).__name__, *type_._replace(id=0)
        return type(type_).__name__
