"""C declarations, as a programmer would write them.

BTF has a type inside out: what a C declaration says first comes last. So the text
grows from the name outwards, until a type with a name of its own ends it.
"""

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.resolve import MAX_NESTING
from skelgen.btf.types import (
    AnyEnum,
    Array,
    Const,
    DeclTag,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Modifier,
    Ptr,
    Restrict,
    Struct,
    Type,
    Typedef,
    TypeTag,
    Union,
    Var,
    Void,
    Volatile,
)

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf

BODY_LIMIT = 60
"""Characters of the body of an anonymous type that are still shown."""

LONGEST = 1000
"""Characters of a declaration that are shown."""

_MAX_CHAIN = 256
_QUALIFIERS = {Const: "const", Volatile: "volatile", Restrict: "restrict"}


class _Modifiers:
    """Qualifiers and tags of the type that comes next."""

    __slots__ = ("qualifiers", "tags")

    def __init__(self) -> None:
        self.qualifiers: list[str] = []
        self.tags: list[str] = []

    def add(self, found: Modifier) -> None:
        if isinstance(found, TypeTag):
            name = found.name[:LONGEST]
            text = name if found.attribute else f'btf_type_tag("{name}")'
            self.tags.insert(0, f"__attribute__(({text}))")
        elif _QUALIFIERS[type(found)] not in self.qualifiers:
            self.qualifiers.append(_QUALIFIERS[type(found)])

    def pointer(self, text: str) -> str:
        words = (*self.qualifiers, *self.tags)
        return " ".join(("*", *words, text)) if words else "*" + text

    def base(self, text: str) -> str:
        return " ".join((*self.qualifiers, text, *self.tags))


class _Speller:
    """Writes declarations of one BTF.

    A declaration is written around its name: what stands before and what stands
    behind it is a matter of the type alone. So both are found once a type, however
    many members and parameters are of it, and each is cut to :data:`LONGEST`
    characters as it is written, since nothing longer is shown. Broken BTF (circular,
    or nested to grow without end) is a :class:`BtfParseError`.
    """

    __slots__ = ("btf",)

    def __init__(self, btf: "Btf") -> None:
        self.btf = btf

    def declare(self, type_id: int, name: str, depth: int = 0) -> str:
        """Declare ``name`` to be of a type; ``""`` gives the type's own spelling.

        ``depth`` says how deep in other types this is. What is longer than
        :data:`LONGEST` is cut off there.
        """
        if depth > MAX_NESTING:
            raise BtfParseError(f"btf: type {type_id} is nested too deep")
        key = type_id, name != ""
        known = self.btf.declarations.get(key)
        if known is None:
            known = self._spell(type_id, depth, named=name != "")
            self.btf.declarations[key] = known
        before, behind = known
        return f"{before}{name[:LONGEST]}{behind}"

    def _spell(self, type_id: int, depth: int, *, named: bool) -> tuple[str, str]:
        """Return what a declaration has before and behind the name."""
        before = behind = ""
        pending = _Modifiers()
        found = self.btf.type(type_id)
        for _ in range(_MAX_CHAIN):
            if isinstance(found, Modifier):
                pending.add(found)
            elif isinstance(found, Ptr):
                before = pending.pointer(before)
                if not named and not behind:
                    before = before.rstrip()
                pending = _Modifiers()
            elif isinstance(found, Array | FuncProto):
                if before.startswith("*"):  # binds less than what follows
                    before, behind = f"({before}", f"{behind})"
                if isinstance(found, Array):
                    # const and the like, which GCC puts here, are the elements' in C
                    behind += f"[{found.nelems}]"
                else:
                    behind += f"({self._params(found, depth)})"
                    pending = _Modifiers()
            else:
                base = pending.base(self._base(found, depth))
                if named or before or behind.startswith(("(", ")")):
                    base += " "
                return (base + before)[:LONGEST], behind
            before, behind = before[:LONGEST], behind[:LONGEST]
            found = self.btf.type(found.type_id)
        raise BtfParseError(f"btf: declaration of type {type_id} has no end")

    def _params(self, proto: FuncProto, depth: int) -> str:
        params = proto.params
        if not params or (len(params) == 1 and params[0].type_id == 0):
            return "void"
        texts: list[str] = []
        length = 0
        for index, param in enumerate(params, 1):
            if index == len(params) and param.type_id == 0:
                texts.append("...")
                break
            texts.append(self.declare(param.type_id, param.name, depth + 1))
            length += len(texts[-1]) + 2
            if length > LONGEST:
                break  # all the rest would be cut off
        return ", ".join(texts)

    def _base(self, found: Type, depth: int) -> str:
        if isinstance(found, Void):
            return "void"
        if isinstance(found, Int | Float | Typedef):
            return found.name[:LONGEST]
        if isinstance(found, Fwd):
            return f"{'union' if found.union else 'struct'} {found.name[:LONGEST]}"
        if isinstance(found, Struct | Union | AnyEnum):
            name = found.name[:LONGEST] or self._body(found, depth)
            return f"{keyword(found)} {name}"
        raise BtfParseError(
            f"btf: type {found.id} is a {self.btf.kind(found.id).name},"
            " which cannot be declared"
        )

    def _body(self, found: Struct | Union | AnyEnum, depth: int) -> str:
        """Return what is in a type without a name, in one line, or ``{ ... }``."""
        if isinstance(found, Struct | Union):
            # each member takes four characters or more
            if len(found.members) > BODY_LIMIT // 4:
                return "{ ... }"
            text = " ".join(
                self.declare(member.type_id, member.name, depth + 1)
                + (f": {member.bitfield_size};" if member.bitfield_size else ";")
                for member in found.members
            )
        else:
            text = ", ".join(constant.name for constant in found.values[:BODY_LIMIT])
        if not text:
            return "{}"
        return f"{{ {text} }}" if len(text) <= BODY_LIMIT else "{ ... }"


def keyword(found: Struct | Union | AnyEnum) -> str:
    """Return ``struct``, ``union`` or ``enum``."""
    if isinstance(found, Struct):
        return "struct"
    return "union" if isinstance(found, Union) else "enum"


def declaration(btf: "Btf", type_id: int, name: str = "") -> str:
    """Return the C declaration of a variable, member or function, in one line.

    ``const volatile int x[4]``, ``int (*fn)(void *, int)``. A short body of a type
    without a name is written out, a long one is ``{ ... }``; what is longer than
    :data:`LONGEST` characters ends in `` ...``. ``type_id`` may also be a ``VAR`` or
    ``FUNC``, which has the name. Raises :class:`BtfParseError` for what is no type of
    C, and for circular BTF.
    """
    for _ in range(_MAX_CHAIN):
        found = btf.type(type_id)
        if isinstance(found, Func | Var):
            name = name or found.name
        elif not isinstance(found, DeclTag):
            break
        type_id = found.type_id
    text = _Speller(btf).declare(type_id, name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def type_name(btf: "Btf", type_id: int) -> str:
    """Return how C spells a type: ``struct event``, ``char[16]``, ``void *``."""
    return declaration(btf, type_id)
