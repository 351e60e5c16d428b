"""From BTF types to Python classes and codecs.

Everything that a user can meet gets a class: the structs, unions and enumerations
behind map keys and values, globals, records and ``--type``. What BTF says is checked
here; a type that Python cannot express becomes bytes with a note, and one that makes
no sense is a :class:`~skelgen.errors.BtfError` that names it.
"""

from typing import NamedTuple

from skelgen.btf import types as bt
from skelgen.btf.decl import declaration
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import MAX_CHAIN, MAX_NESTING, skip_mods_and_typedefs
from skelgen.codegen import shapes
from skelgen.codegen.classes import (
    EnumClass,
    StructClass,
    names_used,
    struct_class,
)
from skelgen.codegen.names import (
    ENUM_NAMES,
    MODULE_NAMES,
    STRUCT_NAMES,
    Scope,
    camel,
    checked,
)
from skelgen.codegen.shapes import Shape
from skelgen.codegen.structs import Layout
from skelgen.errors import BtfError, NamingError

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

    def __init__(self, btf: Btf, scope: Scope) -> None:
        self._btf = btf
        self._scope = scope
        self._shapes: dict[int, Shape] = {}
        self._active: set[int] = set()
        self._budget = _MOST_ANONYMOUS + 2 * len(btf.words)
        self._shadows: dict[int, str] = {}
        self._by_name: dict[str, tuple[str, EnumClass | StructClass]] = {}

    @property
    def classes(self) -> tuple[EnumClass | StructClass, ...]:
        """What has been needed up to now, dependencies first."""
        return tuple(definition for _, definition in self._by_name.values())

    def shape(self, type_id: int, where: Context) -> Shape:
        """Return what a type looks like, and have a class made for it if it needs one.

        Raises BtfError for a type without a size, or that cannot be, and NamingError.
        """
        alias = ""
        type_ = self._btf.type(type_id)
        for _ in range(MAX_CHAIN):
            if isinstance(type_, bt.Typedef):
                alias = type_.name
            elif not isinstance(
                type_, bt.Const | bt.Volatile | bt.Restrict | bt.TypeTag
            ):
                return self._plain(type_, alias, where)
            type_ = self._btf.type(type_.type_id)
        raise BtfError(
            f"{where.what}: type {type_id} is a typedef of itself, or of too many types"
        )

    def _plain(self, type_: bt.Type, alias: str, where: Context) -> Shape:
        if isinstance(type_, bt.Int):
            return shapes.integer(type_)
        if isinstance(type_, bt.Ptr):
            return shapes.POINTER
        if isinstance(type_, bt.Float):
            return shapes.floating(type_)
        if isinstance(type_, bt.Array):
            return self._array(type_, where)
        if isinstance(type_, bt.Enum | bt.Enum64):
            return self._once(type_, alias, where)
        if isinstance(type_, bt.Struct | bt.Union):
            return self._once(type_, alias, where)
        name = getattr(type_, "name", "") or "void"
        kind = type(type_).__name__.lower()
        raise BtfError(f"{where.what}: its type, {kind} '{name[:80]}', has no size")

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

    def shadow(self, type_id: int, prefix: str) -> str:
        """Have a class made for struct_ops variables of a type, and return its name.

        The name begins with ``prefix``: a plain struct of the type is another class.
        """
        known = self._shadows.get(type_id)
        if known is not None:
            return known
        type_ = self._btf.type(type_id)
        if not isinstance(type_, bt.Struct):
            raise BtfError(f"struct_ops: type {type_id} is no struct")
        name = prefix + camel(checked(type_.name, "struct"))
        owner = f"struct_ops type '{type_.name}'"
        self._active.add(type_id)
        self._struct(type_, name, owner, f"``struct {type_.name}``", is_shadow=True)
        self._active.remove(type_id)
        self._shadows[type_id] = name
        return name

    # -- classes ---------------------------------------------------------------

    def _once(
        self,
        type_: bt.Enum | bt.Enum64 | bt.Struct | bt.Union,
        alias: str,
        where: Context,
    ) -> Shape:
        known = self._shapes.get(type_.id)
        if known is not None:
            return known
        if type_.id in self._active or len(self._active) > MAX_NESTING:
            raise BtfError(f"{where.what}: its type contains itself, or has no end")
        self._active.add(type_.id)
        name, owner, doc = _naming(type_, alias, where)
        if isinstance(type_, bt.Struct | bt.Union):
            shape = self._struct(type_, name, owner, doc)
        else:
            shape = self._enum(type_, name, owner, doc)
        self._active.remove(type_.id)
        self._shapes[type_.id] = shape
        return shape

    def _claim(self, owner: str, definition: EnumClass | StructClass) -> None:
        """Take a class into the module, unless the same is there already."""
        known = self._by_name.get(definition.name)
        if known is not None and known == (owner, definition):
            return  # BTF that is not deduplicated has types twice
        if known is not None:
            raise NamingError(
                f"{owner}: class '{definition.name}' is taken by {known[0]}"
                f"{' of another layout' if known[0] == owner else ''}"
            )
        self._scope.take(definition.name, owner)
        self._by_name[definition.name] = (owner, definition)

    def _enum(
        self, type_: bt.Enum | bt.Enum64, name: str, owner: str, doc: str
    ) -> Shape:
        if type_.size not in {1, 2, 4, 8}:
            raise BtfError(f"{owner}: an enumeration of {type_.size} bytes")
        scope = Scope(owner, ENUM_NAMES, sunder=True)
        values: list[tuple[str, int]] = []
        for enumerator in type_.values:
            attribute = scope.add(enumerator.name, f"{owner}, enumerator")
            if attribute is not None:
                values.append((attribute, enumerator.value))
        signed = type_.signed or any(value < 0 for _, value in values)
        self._claim(owner, EnumClass(name, f"{doc}.", tuple(values)))
        return shapes.enumeration(shapes.scalar(type_.size, signed=signed), name)

    def _struct(
        self,
        type_: bt.Struct | bt.Union,
        name: str,
        owner: str,
        doc: str,
        *,
        is_shadow: bool = False,
    ) -> Shape:
        layout = self._layout(type_, name, owner, STRUCT_NAMES, is_shadow=is_shadow)
        hidden = names_used(layout) & {member.name for member in layout.members}
        if hidden:
            reserved = STRUCT_NAMES | hidden
            layout = self._layout(type_, name, owner, reserved, is_shadow=is_shadow)
        definition = struct_class(name, doc, layout)
        self._claim(owner, definition)
        return shapes.aggregate(name, type_.size, layout.align)

    def _layout(
        self,
        type_: bt.Struct | bt.Union,
        cls: str,
        owner: str,
        reserved: frozenset[str],
        base: int = 0,
        number: str = "",
        *,
        is_shadow: bool = False,
    ) -> Layout:
        is_union = isinstance(type_, bt.Union)
        layout = Layout(owner, type_.size, is_union=is_union, base=base, number=number)
        layout.is_shadow = is_shadow
        scope = Scope(owner, reserved, sunder=True)
        for index, member in enumerate(type_.members):
            if not member.name:
                what = f"{owner}, member {index}"
                self._anonymous(layout, scope, member, cls, what, reserved)
                continue
            name = scope.add(member.name, f"{owner}, member")
            if name is not None:
                last = index == len(type_.members) - 1 and not layout.is_union
                self._member(layout, name, member, cls, owner, last=last)
        layout.finish()
        return layout

    def _member(
        self,
        layout: Layout,
        name: str,
        member: bt.Member,
        cls: str,
        owner: str,
        *,
        last: bool,
    ) -> None:
        btf = self._btf
        if layout.is_shadow:
            pointer = _resolved(btf, member.type_id)
            if isinstance(pointer, bt.Ptr):
                self._operation(layout, name, member, pointer)
                return
        what = f"{owner}, member '{member.name}'"
        where = Context(
            what,
            f"member ``{member.name}`` in :class:`{cls}`",
            f"{cls.strip('_')}{camel(member.name).strip('_')}",
        )
        declared = declaration(btf, member.type_id, member.name)
        integer = _integer(btf, member.type_id)
        width, bit_offset = member.bitfield_size, member.bit_offset
        if integer is not None and not width and integer.bits != 8 * integer.size:
            # before clang 7 the width of a bit-field was in a type of its own
            width, bit_offset = integer.bits, bit_offset + integer.bit_offset
        shape = self.shape(member.type_id, where)
        if width:
            signed = (integer is not None and integer.signed) or (
                shape.enum != "" and str(shape.ctype).startswith("ctypes.c_int")
            )
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
        self,
        layout: Layout,
        scope: Scope,
        member: bt.Member,
        cls: str,
        what: str,
        reserved: frozenset[str],
    ) -> None:
        """Add an anonymous struct or union.

        Nothing else does without a name in C but bit-fields, which are padding.
        """
        type_ = self._btf.type(member.type_id)
        if member.bitfield_size or not isinstance(type_, bt.Struct | bt.Union):
            return
        if type_.id in self._active or len(self._active) > MAX_NESTING:
            raise BtfError(f"{what}: its type contains itself, or has no end")
        self._active.add(type_.id)
        self._budget -= 1 + len(type_.members)
        if self._budget < 0:
            raise BtfError(f"{what}: too many members of anonymous members in all")
        name = f"_{cls.strip('_')}Anon{layout.unnamed}"
        number = f"{layout.number}.{layout.unnamed}".removeprefix(".")
        layout.unnamed += 1
        base = layout.base + member.bit_offset // 8
        inner = self._layout(type_, name, what, reserved, base, number)
        for attribute in inner.members:
            scope.take(attribute.name, f"{what}: '{attribute.name}'")
        shape = shapes.aggregate(name, type_.size, inner.align)
        if layout.place_anonymous(member.bit_offset, shape, inner):
            kind = "union" if inner.is_union else "struct"
            doc = f"Anonymous {kind} at offset {base} of :class:`{cls}`"
            self._claim(what, struct_class(name, doc, inner, anonymous=True))
        self._active.remove(type_.id)

    def _is_flexible(self, type_id: int) -> bool:
        type_ = _resolved(self._btf, type_id)
        return isinstance(type_, bt.Array) and type_.nelems == 0

    def _element(self, type_id: int, where: Context) -> Shape:
        type_ = _resolved(self._btf, type_id)
        assert isinstance(type_, bt.Array)  # noqa: S101 - see _is_flexible
        if _is_char(self._btf, type_.type_id):
            return shapes.CHAR
        return self.shape(type_.type_id, where)


def _naming(
    type_: bt.Enum | bt.Enum64 | bt.Struct | bt.Union, alias: str, where: Context
) -> tuple[str, str, str]:
    """Return the class of a type, what owns that name, and how its docstring begins."""
    if isinstance(type_, bt.Struct):
        kind = "struct"
    else:
        kind = "union" if isinstance(type_, bt.Union) else "enum"
    if type_.name:
        cls = camel(checked(type_.name, kind))
        owner, doc = f"{kind} '{type_.name}'", f"``{kind} {type_.name}``"
    elif alias:
        cls = camel(checked(alias, "typedef"))
        owner, doc = f"typedef '{alias}'", f"``{alias}``"
    else:
        cls = where.words
        owner = f"the {kind} of {where.what}"
        doc = f"``{kind}`` of {where.doc}"
    return (cls + "_" if cls in MODULE_NAMES else cls), owner, doc


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
