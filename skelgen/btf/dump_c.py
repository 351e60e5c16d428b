"""C definitions whose layout is that of the BTF, padding included."""

from typing import TYPE_CHECKING

from skelgen.btf.decl import Speller, keyword
from skelgen.btf.errors import BtfParseError
from skelgen.btf.resolve import align_of, size_of, skip_mods_and_typedefs
from skelgen.btf.types import (
    Array,
    Enum,
    Enum64,
    Func,
    Fwd,
    Struct,
    Typedef,
    Union,
    Var,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skelgen.btf.parse import Btf

_PADDING = (("long", 64), ("int", 32), ("short", 16), ("char", 8))


class DefinitionWriter:
    """Writes definitions of one BTF; types with a name are referred to by it."""

    __slots__ = ("_indent", "_speller", "btf")

    def __init__(self, btf: "Btf", *, indent: str = "\t") -> None:
        self.btf = btf
        self._indent = indent
        self._speller = Speller(btf, self._body)

    def definition(self, type_id: int) -> str:
        """Return the definition of a type, variable or function, up to the ``;``.

        Raises :class:`BtfParseError` for kinds that have none, and for broken BTF.
        """
        found = self.btf.type(type_id)
        if isinstance(found, Struct | Union | Enum | Enum64):
            head = f"{keyword(found)} {found.name}".rstrip()
            if isinstance(found, Enum | Enum64) and not found.values:
                return f"{head};"  # declared alone
            return f"{head} {self._body(found, 0)};"
        if isinstance(found, Fwd):
            return f"{'union' if found.union else 'struct'} {found.name};"
        if isinstance(found, Typedef):
            return f"typedef {self._speller.declare(found.type_id, found.name)};"
        if isinstance(found, Var | Func):
            storage = {0: "static ", 2: "extern "}.get(found.linkage, "")
            return f"{storage}{self._speller.declare(type_id, found.name)};"
        raise BtfParseError(
            f"btf: type {type_id} is a {self.btf.kind(type_id).name},"
            " which C does not define"
        )

    def _body(self, found: Struct | Union | Enum | Enum64, depth: int) -> str:
        attribute = ""
        if isinstance(found, Enum | Enum64):
            lines = [
                f"{constant.name} = {_constant(found, constant.value)},"
                for constant in found.values
            ]
            mode = _enum_mode(found)
        else:
            packed = self._packed(found)
            lines = list(self._members(found, depth, packed=packed))
            mode = "packed" if packed else ""
        if mode:
            attribute = f" __attribute__(({mode}))"
        if not lines:
            return "{}" + attribute
        inner = "\n" + self._indent * (depth + 1)
        outer = "\n" + self._indent * depth
        return "{" + "".join(inner + line for line in lines) + outer + "}" + attribute

    def _packed(self, found: Struct | Union) -> bool:
        """Tell whether C would lay the members out otherwise without ``packed``."""
        natural = max((self._align(m.type_id) for m in found.members), default=1)
        return natural > 1 and align_of(self.btf, found.id) == 1

    def _align(self, type_id: int) -> int:
        return align_of(self.btf, type_id)

    def _members(
        self, found: Struct | Union, depth: int, *, packed: bool
    ) -> "Iterator[str]":
        at = 0  # bits that are laid out so far
        is_struct = isinstance(found, Struct)
        for member in found.members:
            width = member.bitfield_size
            size = 8 * self._size(member.type_id)
            if is_struct:
                align = 1 if packed else self._align(member.type_id)
                if width:
                    # a bit-field starts a new unit when it does not fit the present
                    fits = packed or not size or at % size + width <= size
                    natural = at if fits else _round_up(at, 8 * align)
                else:
                    natural = _round_up(at, 8 * align)
                if natural != member.bit_offset:
                    yield from _padding(at, member.bit_offset)
            text = self._speller.declare(member.type_id, member.name, depth + 1)
            yield f"{text}: {width};" if width else f"{text};"
            at = member.bit_offset + (width or size)
        if is_struct:
            align = align_of(self.btf, found.id)
            if _round_up(at, 8 * align) != 8 * found.size:
                yield from _padding(at, 8 * found.size)

    def _size(self, type_id: int) -> int:
        """Return a member's size; nothing for the array at the end of a struct."""
        behind = self.btf.type(skip_mods_and_typedefs(self.btf, type_id))
        if isinstance(behind, Array) and behind.nelems == 0:
            return 0
        return size_of(self.btf, type_id)


def _round_up(value: int, to: int) -> int:
    return -(-value // to) * to


def _padding(start: int, end: int) -> "Iterator[str]":
    """Fill bits with nameless bit-fields, none of which crosses a unit of its type."""
    if end - start > 1 << 16:
        # more than any alignment explains: one line, not thousands
        whole = (end - start) // 8 * 8
        yield f"char __pad_{start // 8}[{whole // 8}];"
        return
    while start < end:
        for name, unit in _PADDING:
            width = unit - start % unit
            if start + width <= end or unit == 8:
                width = min(width, end - start)
                yield f"{name}: {width};"
                start += width
                break


def _constant(enum: Enum | Enum64, value: int) -> str:
    if isinstance(enum, Enum):
        return str(value)
    if value == -(1 << 63):
        return "-0x7fffffffffffffffLL - 1"  # C has no literal for it
    return f"{value}{'LL' if enum.signed else 'ULL'}"


def _enum_mode(enum: Enum | Enum64) -> str:
    """Return the mode of an enumeration that the compiler would size otherwise."""
    if enum.size == 1:
        return "mode(byte)"
    if enum.size == 2:
        return "mode(HI)"
    if enum.size == 8 and all(
        -(1 << 31) <= item.value < 1 << 32 for item in enum.values
    ):
        return "mode(DI)"
    return ""


def definition(btf: "Btf", type_id: int, *, indent: str = "\t") -> str:
    """Return the C definition of one type, variable or function.

    Types without a name are written out where they are used, others by name. See
    :class:`DefinitionWriter`.
    """
    return DefinitionWriter(btf, indent=indent).definition(type_id)
