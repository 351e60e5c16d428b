"""C declarations, as a programmer would write them.

BTF has a type inside out: what a C declaration says first comes last. So the text
grows from the name outwards, until a type with a name of its own ends it.
"""

from skelgen.btf.errors import BtfParseError
from skelgen.btf.resolve import MAX_NESTING
from skelgen.btf.types import (
    Array,
    Const,
    DeclTag,
    Enum,
    Enum64,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
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
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from skelgen.btf.parse import Btf

BODY_LIMIT = 60
"""Characters of the body of an anonymous type that are still shown."""

_MAX_STEPS = 20_000
_MAX_CHAIN = 256
_QUALIFIERS = {Const: "const", Volatile: "volatile", Restrict: "restrict"}


class _Modifiers:
    """What is said of the type that comes next."""

    __slots__ = ("qualifiers", "tags")

    def __init__(self) -> None:
        self.qualifiers: list[str] = []
        self.tags: list[str] = []

    def add(self, found: Const | Volatile | Restrict | TypeTag) -> None:
        if isinstance(found, TypeTag):
            text = found.name if found.attribute else f'btf_type_tag("{found.name}")'
            self.tags.insert(0, f"__attribute__(({text}))")
        elif _QUALIFIERS[type(found)] not in self.qualifiers:
            self.qualifiers.append(_QUALIFIERS[type(found)])

    def pointer(self, text: str) -> str:
        words = (*self.qualifiers, *self.tags)
        return " ".join(("*", *words, text)).rstrip() if words else "*" + text

    def base(self, text: str) -> str:
        return " ".join((*self.qualifiers, text, *self.tags))


class Speller:
    """Writes declarations of one BTF.

    ``body`` writes out a type that has no name, given how deep in other types it is.
    Broken BTF (circular, or nested to grow without end) is a :class:`BtfParseError`.
    """

    __slots__ = ("_body", "_steps", "btf")

    def __init__(
        self,
        btf: "Btf",
        body: "Callable[[Struct | Union | Enum | Enum64, int], str]",
    ) -> None:
        self.btf = btf
        self._body = body
        self._steps = 0

    def declare(self, type_id: int, name: str, depth: int = 0) -> str:
        """Declare ``name`` to be of a type; ``""`` gives the type's own spelling."""
        if depth > MAX_NESTING:
            raise BtfParseError(f"btf: type {type_id} is nested too deep")
        text = name
        pending = _Modifiers()
        for _ in range(_MAX_CHAIN):
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise BtfParseError(f"btf: declaration of type {type_id} is too long")
            found = self.btf.type(type_id)
            if isinstance(found, Const | Volatile | Restrict | TypeTag):
                pending.add(found)
            elif isinstance(found, Array):
                # const and the like, which GCC puts here, are the elements' in C
                text = f"{_grouped(text)}[{found.nelems}]"
            elif isinstance(found, Ptr):
                text = pending.pointer(text)
                pending = _Modifiers()
            elif isinstance(found, FuncProto):
                text = f"{_grouped(text)}({self._params(found, depth)})"
                pending = _Modifiers()
            elif isinstance(found, Func | Var):
                text = text or found.name
            elif not isinstance(found, DeclTag):
                return _joined(pending.base(self._base(found, depth)), text)
            type_id = found.type_id
        raise BtfParseError(f"btf: declaration of type {type_id} has no end")

    def _params(self, proto: FuncProto, depth: int) -> str:
        params = proto.params
        if not params or (len(params) == 1 and params[0].type_id == 0):
            return "void"
        texts = [self.declare(param.type_id, param.name, depth + 1) for param in params]
        if params[-1].type_id == 0:
            texts[-1] = "..."
        return ", ".join(texts)

    def _base(self, found: Type, depth: int) -> str:
        if isinstance(found, Void):
            return "void"
        if isinstance(found, Int | Float | Typedef):
            return found.name
        if isinstance(found, Fwd):
            return f"{'union' if found.union else 'struct'} {found.name}"
        if isinstance(found, Struct | Union | Enum | Enum64):
            word = keyword(found)
            if found.name:
                return f"{word} {found.name}"
            return f"{word} {self._body(found, depth)}"
        raise BtfParseError(
            f"btf: type {found.id} is a {self.btf.kind(found.id).name},"
            " which cannot be declared"
        )


def keyword(found: Struct | Union | Enum | Enum64) -> str:
    """Return ``struct``, ``union`` or ``enum``."""
    if isinstance(found, Struct):
        return "struct"
    return "union" if isinstance(found, Union) else "enum"


def _grouped(text: str) -> str:
    """Put a pointer in parentheses before it becomes an array or a function."""
    return f"({text})" if text.startswith("*") else text


def _joined(base: str, text: str) -> str:
    return base + text if text.startswith("[") or not text else f"{base} {text}"


class _OneLine:
    """Bodies of anonymous types in one line, or ``{ ... }``."""

    __slots__ = ("_speller",)

    def __init__(self, btf: "Btf") -> None:
        self._speller = Speller(btf, self.body)

    def declare(self, type_id: int, name: str) -> str:
        return self._speller.declare(type_id, name)

    def body(self, found: Struct | Union | Enum | Enum64, depth: int) -> str:
        if isinstance(found, Struct | Union):
            # each member takes four characters or more
            if len(found.members) > BODY_LIMIT // 4:
                return "{ ... }"
            text = " ".join(
                self._speller.declare(member.type_id, member.name, depth + 1)
                + (f": {member.bitfield_size};" if member.bitfield_size else ";")
                for member in found.members
            )
        else:
            text = ", ".join(constant.name for constant in found.values[:BODY_LIMIT])
        if not text:
            return "{}"
        return f"{{ {text} }}" if len(text) <= BODY_LIMIT else "{ ... }"


def declaration(btf: "Btf", type_id: int, name: str = "") -> str:
    """Return the C declaration of a variable, member or function, in one line.

    ``const volatile int x[4]``, ``int (*fn)(void *, int)``. A short body of a type
    without a name is written out, a long one is ``{ ... }``. ``type_id`` may also be a
    ``VAR`` or ``FUNC``, which has the name. Raises :class:`BtfParseError` for what is
    no type of C, and for circular BTF.
    """
    return _OneLine(btf).declare(type_id, name)


def type_name(btf: "Btf", type_id: int) -> str:
    """Return how C spells a type: ``struct event``, ``char[16]``, ``void *``."""
    return declaration(btf, type_id)
