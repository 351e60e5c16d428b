"""From BTF types to Python classes and codecs.

Everything that a user can meet gets a class: the structs, unions and enumerations
behind map keys and values, globals, records and ``--type``. What BTF says is checked
here; a type that Python cannot express becomes bytes with a note, and one that makes
no sense is a :class:`~skelgen.errors.BtfError` that names it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from skelgen.btf import types as bt
from skelgen.btf.decl import declaration
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import MAX_CHAIN, MAX_NESTING, skip_mods_and_typedefs
from skelgen.codegen import shapes
from skelgen.codegen.class_names import ClassName, ClassNames, Classy, kind
from skelgen.codegen.classes import EnumClass, StructClass, names_used, struct_class
from skelgen.codegen.names import ENUM_NAMES, STRUCT_NAMES, camel
from skelgen.codegen.shapes import Shape
from skelgen.codegen.spelling import Scope, Spelling, Wanted, attribute
from skelgen.codegen.structs import Layout
from skelgen.codegen.text import code, sentence
from skelgen.errors import BtfError

_MOST_ANONYMOUS = 4096
"""Members of anonymous members in one module, beside two for each word of BTF: a
limit for BTF that nests without end, or that uses one large type again and again."""


class Context(NamedTuple):
    """Where a type is used, which names what has no name of its own."""

    what: str
    """For messages: ``map 'events' value``."""
    doc: str
    """For docstrings: value of map ``events``."""
    words: str
    """CamelCase, for the class of an anonymous type: ``EventsValue``."""


class TypeTable:
    """The classes of one module, in an order in which each knows what it needs."""

    def __init__(self, btf: Btf, scope: Scope, spelling: Spelling) -> None:
        self._btf = btf
        self._scope = scope
        self._spelling = spelling
        self._names = ClassNames(btf, scope)
        self._shapes: dict[int, Shape] = {}
        self._shadows: dict[int, ClassName] = {}
        self._shadows_made: set[int] = set()
        self._active: set[int] = set()
        self._budget = _MOST_ANONYMOUS + 2 * len(btf.words)
        self._classes: list[EnumClass | StructClass] = []

    @property
    def classes(self) -> tuple[EnumClass | StructClass, ...]:
        """The classes needed so far, dependencies first."""
        return tuple(self._classes)

    def plan(self, roots: Iterable[int], shadows: Sequence[tuple[int, str]]) -> None:
        """Name the classes of these types, and of struct_ops variables.

        A shadow is a type and the beginning of its name: a plain struct of the type is
        another class.
        """
        for type_id, prefix in shadows:
            type_ = self._btf.type(type_id)
            if not isinstance(type_, bt.Struct):
                raise BtfError(f"struct_ops: type {type_id} is no struct")
            if type_id not in self._shadows:
                owner = f"struct_ops type '{type_.name}'"
                name, plain = self._scope.own(prefix + camel(type_.name), owner)
                doc = code(f"struct {type_.name}")
                self._shadows[type_id] = ClassName(name, plain, owner, doc)
        self._names.plan(roots, members_of=tuple(self._shadows))

    def shape(self, type_id: int, where: Context) -> Shape:
        """Return what a type looks like, and have a class made for it if it needs one.

        Raises BtfError for a type without a size, or that cannot be, and NamingError.
        """
        type_ = self._btf.type(type_id)
        for _ in range(MAX_CHAIN):
            if not isinstance(
                type_,
                bt.Typedef | bt.Modifier,
            ):
                return self._plain(type_, where)
            type_ = self._btf.type(type_.type_id)
        raise BtfError(
            f"{where.what}: type {type_id} is a typedef of itself, or of too many types"
        )

    def _plain(self, type_: bt.Type, where: Context) -> Shape:
        if isinstance(type_, bt.Int):
            return shapes.integer(type_)
        if isinstance(type_, bt.Ptr):
            return shapes.POINTER
        if isinstance(type_, bt.Float):
            return shapes.floating(type_)
        if isinstance(type_, bt.Array):
            return self._array(type_, where)
        if isinstance(type_, bt.Enum | bt.Enum64):
            return self._once(type_, where)
        if isinstance(type_, bt.Struct | bt.Union):
            return self._once(type_, where)
        name = getattr(type_, "name", "") or "void"
        word = type(type_).__name__.lower()
        raise BtfError(f"{where.what}: its type, {word} '{name[:80]}', has no size")

    def _array(self, type_: bt.Array, where: Context) -> Shape:
        if type_.id in self._active or len(self._active) > MAX_NESTING:
            raise BtfError(f"{where.what}: its type contains itself, or has no end")
        if _is_char(self._btf, type_.type_id):
            return shapes.chars(type_.nelems)
        self._active.add(type_.id)
        shape = shapes.array(self.shape(type_.type_id, where), type_.nelems)
        self._active.remove(type_.id)
        if shape.size > 0xFFFFFFFF:
            raise BtfError(f"{where.what}: its type is larger than 4 GB")
        return shape

    def shadow(self, type_id: int) -> str:
        """Have a class made for struct_ops variables of a type, and return its name."""
        naming = self._shadows[type_id]
        type_ = self._btf.type(type_id)
        assert isinstance(type_, bt.Struct)  # see plan()
        if type_id not in self._shadows_made:
            self._shadows_made.add(type_id)
            self._active.add(type_id)
            self._struct(type_, naming, is_shadow=True)
            self._active.remove(type_id)
        return naming.name

    # -- classes ---------------------------------------------------------------

    def _once(self, type_: Classy, where: Context) -> Shape:
        same = self._names.same(type_.id)
        if same != type_.id:
            return self.shape(same, where)
        known = self._shapes.get(type_.id)
        if known is not None:
            return known
        if type_.id in self._active or len(self._active) > MAX_NESTING:
            raise BtfError(f"{where.what}: its type contains itself, or has no end")
        self._active.add(type_.id)
        naming = self._naming(type_, where)
        if isinstance(type_, bt.Struct | bt.Union):
            shape = self._struct(type_, naming)
        else:
            shape = self._enum(type_, naming)
        self._active.remove(type_.id)
        self._shapes[type_.id] = shape
        return shape

    def _naming(self, type_: Classy, where: Context) -> ClassName:
        """Return the class of a type: its own name, or that of where it is used."""
        known = self._names.of(type_.id)
        if known is not None:
            return known
        word = kind(type_)
        owner = f"the {word} of {where.what}"
        name, plain = self._scope.add(Wanted(where.words, owner))
        return ClassName(name, plain, owner, f"``{word}`` of {where.doc}")

    def _enum(self, type_: bt.Enum | bt.Enum64, naming: ClassName) -> Shape:
        owner = naming.owner
        if type_.size not in {1, 2, 4, 8}:
            raise BtfError(f"{owner}: an enumeration of {type_.size} bytes")
        scope = Scope(self._spelling, naming.plain, ENUM_NAMES, sunder=True)
        names = scope.add_all(
            [attribute(one.name, f"{owner}, enumerator") for one in type_.values]
        )
        scope.tell()
        values = [
            (name, one.value)
            for (name, _), one in zip(names, type_.values, strict=True)
        ]
        signed = type_.signed or any(value < 0 for _, value in values)
        self._classes.append(
            EnumClass(naming.name, sentence(naming.doc), tuple(values))
        )
        stored = shapes.scalar(type_.size, signed=signed)
        return shapes.enumeration(stored, naming.name)

    def _struct(
        self, type_: bt.Struct | bt.Union, naming: ClassName, *, is_shadow: bool = False
    ) -> Shape:
        trial = self._tried(type_, naming, STRUCT_NAMES, is_shadow=is_shadow)
        hidden = names_used(trial.whole) & {
            member.name for member in trial.whole.members
        }
        if hidden:
            reserved = STRUCT_NAMES | hidden
            trial = self._tried(type_, naming, reserved, is_shadow=is_shadow)
        trial.scope.tell()
        self._classes.append(struct_class(naming.name, naming.doc, trial.whole))
        return shapes.aggregate(naming.name, type_.size)

    def _tried(
        self,
        type_: bt.Struct | bt.Union,
        naming: ClassName,
        reserved: frozenset[str],
        *,
        is_shadow: bool,
    ) -> "_Trial":
        """Lay a struct out with some names reserved, of which it may need more."""
        scope = Scope(self._spelling, naming.plain, reserved, sunder=True)
        names = scope.add_all(list(self._member_names(type_, naming.owner, ())))
        trial = _Trial(scope, iter([name for name, _ in names]))
        place = _Place(naming.owner, naming.name, naming.name)
        trial.whole = self._layout(trial, type_, place, is_shadow=is_shadow)
        return trial

    def _member_names(
        self, type_: bt.Struct | bt.Union, owner: str, outer: tuple[int, ...]
    ) -> Iterator[Wanted]:
        """Yield the names of a struct's attributes, those of anonymous members too.

        In the order in which :meth:`_layout` asks for them.
        """
        for index, member in enumerate(type_.members):
            if member.name:
                yield attribute(member.name, f"{owner}, member")
                continue
            inner = self._btf.type(member.type_id)
            if member.bitfield_size or not isinstance(inner, bt.Struct | bt.Union):
                continue
            what = f"{owner}, member {index}"
            if inner.id in outer or len(outer) > MAX_NESTING:
                raise BtfError(f"{what}: its type contains itself, or has no end")
            self._budget -= 1 + len(inner.members)
            if self._budget < 0:
                raise BtfError(f"{what}: too many members of anonymous members in all")
            yield from self._member_names(inner, what, (*outer, inner.id))

    def _layout(
        self,
        trial: "_Trial",
        type_: bt.Struct | bt.Union,
        place: "_Place",
        *,
        is_shadow: bool = False,
    ) -> Layout:
        is_union = isinstance(type_, bt.Union)
        layout = Layout(place.owner, type_.size, is_union=is_union)
        layout.is_shadow = is_shadow
        for index, member in enumerate(type_.members):
            if member.name:
                last = index == len(type_.members) - 1 and not layout.is_union
                self._member(layout, next(trial.names), member, place, last=last)
            else:
                what = f"{place.owner}, member {index}"
                self._anonymous(trial, layout, member, place._replace(owner=what))
        return layout

    def _member(
        self,
        layout: Layout,
        name: str,
        member: bt.Member,
        place: "_Place",
        *,
        last: bool,
    ) -> None:
        btf = self._btf
        if layout.is_shadow:
            pointer = _resolved(btf, member.type_id)
            if isinstance(pointer, bt.Ptr):
                self._operation(layout, name, member, pointer)
                return
        what = f"{place.owner}, member '{member.name}'"
        where = Context(
            what,
            f"member ``{member.name}`` in :class:`{place.cls}`",
            f"{place.words.strip('_')}{camel(member.name).strip('_')}",
        )
        declared = declaration(btf, member.type_id, member.name)
        integer = _integer(btf, member.type_id)
        width, bit_offset = member.bitfield_size, member.bit_offset
        if integer is not None and not width and integer.bits != 8 * integer.size:
            # before clang 7 the width of a bit-field was in a type of its own
            width, bit_offset = integer.bits, bit_offset + integer.bit_offset
        shape = self.shape(member.type_id, where)
        if width:
            signed = (integer is not None and integer.signed) or shape.signed
            declared += f":{width}"
            layout.place_bits(name, declared, bit_offset, width, shape, signed=signed)
        elif last and self._is_flexible(member.type_id):
            element = self._element(member.type_id, where)
            layout.place_flexible(name, declared, bit_offset, element)
        else:
            layout.place(name, declared, bit_offset, shape)

    def _operation(
        self, layout: Layout, name: str, member: bt.Member, pointer: bt.Ptr
    ) -> None:
        """Add a pointer of a struct_ops variable: a program, or nothing."""
        if isinstance(_resolved(self._btf, pointer.type_id), bt.FuncProto):
            declared = declaration(self._btf, member.type_id, member.name)
            layout.place_operation(name, declared, member.bit_offset, member.name)
        else:
            layout.left_out.append(member.name)

    def _anonymous(
        self, trial: "_Trial", layout: Layout, member: bt.Member, place: "_Place"
    ) -> None:
        """Add an anonymous struct or union.

        Nothing else does without a name in C but bit-fields, which are padding.
        """
        type_ = self._btf.type(member.type_id)
        if member.bitfield_size or not isinstance(type_, bt.Struct | bt.Union):
            return
        if type_.id in self._active or len(self._active) > MAX_NESTING:
            raise BtfError(f"{place.owner}: its type contains itself, or has no end")
        self._active.add(type_.id)
        words = f"{place.words}Anon{layout.unnamed}"
        layout.unnamed += 1
        inner = self._layout(trial, type_, place._replace(words=words))
        layout.place_anonymous(member.bit_offset, inner)
        self._active.remove(type_.id)

    def _is_flexible(self, type_id: int) -> bool:
        type_ = _resolved(self._btf, type_id)
        return isinstance(type_, bt.Array) and type_.nelems == 0

    def _element(self, type_id: int, where: Context) -> Shape:
        type_ = _resolved(self._btf, type_id)
        assert isinstance(type_, bt.Array)  # see _is_flexible
        if _is_char(self._btf, type_.type_id):
            return shapes.CHAR
        return self.shape(type_.type_id, where)


class _Place(NamedTuple):
    """Where members are: in a struct, or in an anonymous member of one."""

    owner: str
    """For messages."""
    cls: str
    """Class that shows them."""
    words: str
    """The prefixes of names of types that have none of their own."""


class _Trial:
    """A layout whose names may turn out to hide what the class needs."""

    def __init__(self, scope: Scope, names: Iterator[str]) -> None:
        self.scope = scope
        self.names = names
        """Of its attributes, in the order in which they are asked for."""
        self.whole: Layout


def _resolved(btf: Btf, type_id: int) -> bt.Type:
    return btf.type(skip_mods_and_typedefs(btf, type_id))


def _integer(btf: Btf, type_id: int) -> bt.Int | None:
    type_ = _resolved(btf, type_id)
    return type_ if isinstance(type_, bt.Int) else None


def _is_char(btf: Btf, type_id: int) -> bool:
    """Tell ``char``, whose arrays are strings, from integers of one byte."""
    type_ = _integer(btf, type_id)
    return (
        type_ is not None
        and type_.size == 1
        and not type_.bool
        and (type_.char or type_.name == "char")
    )
