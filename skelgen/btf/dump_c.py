"""C definitions whose layout is that of the BTF, padding included.

A declaration of C is written around its name: what stands before and what stands
behind it is a matter of the type alone. :meth:`CWriter.around` finds both once a type,
and everything else puts names between them.
"""

import re

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.c_layout import Layouts, members, natural_offset, padding, round_up
from skelgen.btf.errors import BtfParseError
from skelgen.btf.flat import (
    ARRAY,
    CONST,
    ENUM,
    ENUM64,
    ENUMS,
    FLOAT,
    FUNC,
    FUNC_PROTO,
    FWD,
    INT,
    MODIFIERS,
    PTR,
    RESTRICT,
    STRUCT,
    TYPE_TAG,
    TYPEDEF,
    UNION,
    VAR,
    VOID,
    VOLATILE,
    FlatTypes,
)

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf

_QUALIFIERS = {VOLATILE: "volatile", CONST: "const", RESTRICT: "restrict"}
TAGS = {STRUCT: "struct", UNION: "union", ENUM: "enum", ENUM64: "enum"}
_MOST_TEXT = 1 << 20
# Characters for a whole BTF; the kernel's header has less than 3 a word.
_LEAST_TEXT = 1 << 16
_TEXT_PER_WORD = 64
_TAG = re.compile(r"[\w ,:.-]+", re.ASCII)
_ATTRIBUTE = re.compile(r"\w+(\([\w ,]*\))?", re.ASCII)


class CWriter:
    """Writes the types of one BTF; those with a name are referred to by it.

    ``names`` are other names for some types, where two have the same. Constants of
    enumerations that are in ``taken`` already, are numbered in the same way; it learns new
    ones. Broken BTF is a :class:`BtfParseError`.
    """

    __slots__ = (
        "_around",
        "_indent",
        "_room",
        "inlined",
        "layouts",
        "names",
        "records",
        "taken",
        "types",
    )

    def __init__(self, types: FlatTypes, *, indent: str = "\t") -> None:
        self.types = types
        self.layouts = Layouts(types)
        self.names: dict[int, str] = {}
        self.taken: dict[str, int] = {}
        self.inlined: list[int] = []
        """Enumerations without a name that are written out within others."""
        self.records = 0
        """How many structs and unions were written out."""
        self._indent = indent
        self._around: dict[int, tuple[str, str]] = {}
        self._room = _LEAST_TEXT + _TEXT_PER_WORD * len(types.words)

    def _spend(self, length: int) -> None:
        """Count what is written: a type that others are made of can be large itself."""
        self._room -= length
        if self._room < 0:
            raise BtfParseError("btf: its types are too long, written out in C")

    def name(self, type_id: int) -> str:
        """Return the name that a type goes by here."""
        return self.names.get(type_id) or self.types.name(type_id)

    def head(self, type_id: int) -> str:
        """Return ``struct name``, of a struct, union, enumeration or declared one."""
        kind = self.types.kind(type_id)
        if kind == FWD:
            word = "union" if self.types.flag(type_id) else "struct"
            return f"{word} {self.name(type_id)}"
        return f"{TAGS[kind]} {self.name(type_id)}".rstrip()

    def declare(self, type_id: int, name: str) -> str:
        """Declare ``name`` to be of a type, without the ``;``."""
        before, behind = self.around(type_id)
        self._spend(len(before) + len(behind))
        return f"{before}{name}{behind}" if name else before.rstrip(" ") + behind

    def around(self, type_id: int) -> tuple[str, str]:
        """Return what a declaration has before and behind the name.

        The former ends so that a name can follow: ``"int "``, ``"char *"``.
        """
        known = self._around.get(type_id)
        if known is None:
            inlined = len(self.inlined)
            known = self._spell(type_id, ())
            self._spend(len(known[0]) + len(known[1]))
            if len(known[0]) > _MOST_TEXT:
                raise BtfParseError(f"btf: declaration of type {type_id} is too long")
            if inlined == len(self.inlined):
                # else the next time has to number the constants
                self._around[type_id] = known
        return known

    def _spell(self, type_id: int, outer: tuple[str, ...]) -> tuple[str, str]:
        """Return the text around a name of a type that ``outer`` qualifies."""
        types = self.types
        kind = types.kind(type_id)
        words = outer
        while kind in MODIFIERS:
            word = self._modifier(type_id)
            if word not in words:
                words += (word,)
                self._spend(len(word))
            type_id = types.ref(type_id)
            kind = types.kind(type_id)
        if kind == ARRAY:
            # const and the like, which GCC puts on the array, are the elements' in C
            element, count = types.array(type_id)
            before, behind = self._spell(element, words)
            return before, f"[{count}]{behind}"
        if kind == FUNC_PROTO:
            before, behind = self.around(types.ref(type_id))
            return before, f"({self._params(type_id)}){behind}"
        if kind == PTR:
            before, behind = self.around(types.ref(type_id))
            if behind.startswith(("[", "(")):
                before, behind = f"{before}(*", f"){behind}"
            else:
                before += "*"
            return (f"{before} {' '.join(words)} " if words else before), behind
        base = self._base(type_id, kind)
        if words:
            tags = [word for word in words if word.startswith("_")]
            base = " ".join(
                (*(word for word in words if word not in tags), base, *tags)
            )
        return base + " ", ""

    def _modifier(self, type_id: int) -> str:
        types = self.types
        kind = types.kind(type_id)
        if kind != TYPE_TAG:
            return _QUALIFIERS[kind]
        text = types.btf.name(type_id)
        is_attribute = types.flag(type_id)
        if not (_ATTRIBUTE if is_attribute else _TAG).fullmatch(text):
            raise BtfParseError(f"btf: type {type_id} is the tag {text!r}")
        if not is_attribute:
            text = f'btf_type_tag("{text}")'
        return f"__attribute__(({text}))"

    def _params(self, type_id: int) -> str:
        words = self.types.payload(type_id, 2)
        names, params = words[::2], words[1::2]
        if params in ([], [0]):
            return "void"
        identifier = self.types.identifier
        texts = [
            self.declare(param, identifier(name))
            for name, param in zip(names, params, strict=True)
        ]
        if params[-1] == 0:
            texts[-1] = "..."
        return ", ".join(texts)

    def _base(self, type_id: int, kind: int) -> str:
        if kind == VOID:
            return "void"
        if kind in {INT, FLOAT, TYPEDEF}:
            return self.name(type_id)
        if kind == FWD:
            return self.head(type_id)
        if kind in TAGS:
            if self.types.words[self.types.at[type_id]]:
                return self.head(type_id)
            if kind in ENUMS:
                self.inlined.append(type_id)
            return self.composite(type_id)
        raise BtfParseError(f"btf: type {type_id} cannot be declared")

    # Definitions

    def composite(self, type_id: int) -> str:
        """Return a struct, union or enumeration with what is in it, without ``;``."""
        kind = self.types.kind(type_id)
        if kind in ENUMS:
            lines, attribute = self._constants(type_id), self._mode(type_id)
            if not lines:
                return self.head(type_id)  # declared alone
        else:
            self.records += 1
            packed = self.layouts.of(type_id).packed
            lines = self._members(type_id, kind, packed=packed)
            attribute = "packed" if packed else ""
        body = "".join(f"{self._indent}{line}\n" for line in lines)
        text = (
            f"{self.head(type_id)} {{\n{body}}}"
            if body
            else f"{self.head(type_id)} {{}}"
        )
        if len(text) > _MOST_TEXT and "\n" in text:
            raise BtfParseError(f"btf: definition of type {type_id} is too long")
        return f"{text} __attribute__(({attribute}))" if attribute else text

    def _members(self, type_id: int, kind: int, *, packed: bool) -> list[str]:
        types = self.types
        around, layout_of = self.around, self.layouts.of
        inner = "\n" + self._indent
        is_struct = kind == STRUCT
        lines: list[str] = []
        at = 0  # bits that are laid out so far
        for name_offset, member, offset, width in members(types, type_id):
            layout = layout_of(member)
            if is_struct and natural_offset(at, width, layout, packed=packed) != offset:
                lines += padding(at, offset)
            before, behind = around(member)
            if "\n" in before:
                before = before.replace("\n", inner)
            name = types.identifier(name_offset)
            if not name:
                before = before.rstrip(" ")
            bits = f": {width}" if width else ""
            lines.append(f"{before}{name}{behind}{bits};")
            self._spend(len(lines[-1]))
            end = offset + (width or layout.size)
            at = end if is_struct else max(at, end)
        whole = layout_of(type_id)
        if round_up(at, whole.align) != whole.size:
            pads = padding(at if is_struct else 0, whole.size)
            lines += pads if is_struct else [f"struct {{ {' '.join(pads)} }};"]
        return lines

    def _constants(self, type_id: int) -> list[str]:
        names, values = enumerator_words(self.types, type_id)
        identifier = self.types.identifier
        suffix = ""
        if self.types.kind(type_id) == ENUM64:
            suffix = "LL" if self.types.flag(type_id) else "ULL"
        return [
            f"{numbered(identifier(name), self.taken)} = {_constant(value, suffix)},"
            for name, value in zip(names, values, strict=True)
        ]

    def _mode(self, type_id: int) -> str:
        """Return the mode of an enumeration that the compiler would size otherwise."""
        size = self.types.ref(type_id)
        if size == 8:
            _, values = enumerator_words(self.types, type_id)
            natural = not all(-(1 << 31) <= value < 1 << 32 for value in values)
            return "" if natural else "mode(DI)"
        return {1: "mode(byte)", 2: "mode(HI)"}.get(size, "")


def numbered(name: str, taken: dict[str, int]) -> str:
    """Return ``name``, or ``name___2`` where it is taken already; and take it."""
    count = taken.get(name, 0) + 1
    taken[name] = count
    if count == 1:
        return name
    while f"{name}___{count}" in taken:
        count += 1
    taken[name] = count
    taken[f"{name}___{count}"] = 1
    return f"{name}___{count}"


def enumerator_words(types: FlatTypes, type_id: int) -> tuple[list[int], list[int]]:
    """Return name offsets and values of the constants of an enumeration."""
    if types.kind(type_id) == ENUM64:
        words = types.payload(type_id, 3)
        halves = zip(words[1::3], words[2::3], strict=True)
        names, values, bits = words[::3], [low | high << 32 for low, high in halves], 64
    else:
        words = types.payload(type_id, 2)
        names, values, bits = words[::2], words[1::2], 32
    if types.flag(type_id):
        values = [value - (value >> bits - 1 << bits) for value in values]
    return names, values


def _constant(value: int, suffix: str) -> str:
    if value == -(1 << 63):
        return "-0x7fffffffffffffffLL - 1"  # C has no literal for it
    return f"{value}{suffix}"


def definition(btf: "Btf", type_id: int, *, indent: str = "\t") -> str:
    """Return the C definition of one type, variable or function, up to the ``;``.

    Types without a name are written out where they are used, others by name. Raises
    :class:`BtfParseError` for kinds that have none, and for broken BTF.
    """
    types = FlatTypes(btf)
    try:
        return _definition(CWriter(types, indent=indent), type_id)
    except (IndexError, RecursionError) as error:
        raise types.broken(error) from None


def _definition(writer: CWriter, type_id: int) -> str:
    types = writer.types
    kind = types.kind(type_id)
    if kind in TAGS:
        return f"{writer.composite(type_id)};"
    if kind == FWD:
        return f"{writer.head(type_id)};"
    if kind == TYPEDEF:
        return f"typedef {writer.declare(types.ref(type_id), types.name(type_id))};"
    if kind in {VAR, FUNC}:
        position = types.at[type_id]
        linkage = types.words[position + 3] if kind == VAR else types.vlen(type_id)
        storage = {0: "static ", 2: "extern "}.get(linkage, "")
        return f"{storage}{writer.declare(types.ref(type_id), types.name(type_id))};"
    raise BtfParseError(
        f"btf: type {type_id} is a {types.btf.kind(type_id).name},"
        " which C does not define"
    )
