"""How the members of a struct or union are laid out in a ctypes class.

Offsets and sizes are BTF's. Every gap is filled with a hidden member whose name is
its byte range, so that ctypes has nothing to decide; what it cannot express
(bit-fields, 128-bit integers, members off their alignment) lies in such a gap, with a
descriptor over it.
"""

from enum import Enum, auto
from typing import NamedTuple

from skelgen.codegen.pretty import Expr, Group
from skelgen.codegen.shapes import CHAR, POINTER, Shape
from skelgen.codegen.text import code, literal
from skelgen.errors import BtfError


class Place(Enum):
    """How a member is reached."""

    FIELD = auto()
    """An entry of ``_fields_``."""
    MEMBER = auto()
    """``rt.Member``."""
    BITS = auto()
    """``rt.BitField``."""
    FLEXIBLE = auto()
    """``rt.Flexible``."""
    TEXT = auto()
    """``rt.FlexibleBytes``."""
    OPERATION = auto()
    """``rt.Operation``."""


class Member(NamedTuple):
    """One attribute of a struct."""

    name: str
    """Python name."""
    declaration: str
    """C declaration, for the docstring."""
    place: Place
    bit_offset: int
    """From the start of the struct, in bits."""
    shape: Shape
    """Of an element, if flexible."""
    width: int = 0
    """Bits of a bit-field."""
    signed: bool = False
    """Whether a bit-field is signed."""
    function: str = ""
    """C name of an operation."""

    @property
    def offset(self) -> int:
        """Bytes from the start of the struct."""
        return self.bit_offset // 8

    @property
    def annotation(self) -> str:
        """Type of a field, for type checkers; descriptors have one of their own."""
        return self.shape.annotation

    @property
    def parameter(self) -> str:
        """The argument of the constructor that sets it."""
        if self.place is Place.BITS:
            return f"{self.name}: int = 0"
        return f"{self.name}: {self.shape.parameter} = {self.shape.default}"

    @property
    def text(self) -> Expr:
        """The statement that declares the attribute."""
        if self.place is Place.FIELD:
            return f"{self.name}: {self.annotation}"
        offset = f"offset={self.offset}"
        if self.place is Place.MEMBER:
            return Group(f"{self.name} = rt.Member", (self.shape.codec, offset))
        if self.place is Place.TEXT:
            return Group(f"{self.name} = rt.FlexibleBytes", (offset,))
        if self.place is Place.FLEXIBLE:
            return Group(f"{self.name} = rt.Flexible", (self.shape.codec, offset))
        if self.place is Place.OPERATION:
            return Group(
                f"{self.name} = rt.Operation", (literal(self.function), offset)
            )
        items = [f"bit_offset={self.bit_offset}", f"width={self.width}"]
        if self.signed:
            items.append("signed=True")
        return Group(f"{self.name} = rt.BitField", tuple(items))

    @property
    def doc(self) -> str:
        """Docstring: C declaration, place, and what else there is to know."""
        text = f"{code(self.declaration)} at offset {self.offset}"
        if self.place is Place.BITS:
            first = self.bit_offset % 8
            last = first + self.width - 1
            text += f", bit {first}" if first == last else f", bits {first} to {last}"
        elif self.place in {Place.FLEXIBLE, Place.TEXT}:
            text += ": what follows the struct in a record"
        elif self.place is not Place.OPERATION:
            text += self.shape.note
        if self.shape.enum:
            text += f"; compare with :class:`{self.shape.enum}`"
        return text + "."

    def shifted(self, offset: int) -> "Member":
        """Return the member as it looks from a struct that begins earlier."""
        return self._replace(bit_offset=self.bit_offset + 8 * offset)


class Layout:
    """The body of a struct or union, filled member by member in BTF's order.

    ``what`` is its name in messages. An anonymous one has a ``base``, where it begins
    in the outermost struct, and a ``number``, which member it is: ``0.1`` for the
    second in the first. The two make names of hidden members unique all over the
    outermost struct, where ctypes shows them.
    """

    __slots__ = (
        "_cursor",
        "align",
        "anonymous",
        "base",
        "entries",
        "is_shadow",
        "is_union",
        "left_out",
        "members",
        "number",
        "offsets",
        "packed",
        "size",
        "unnamed",
        "what",
    )

    def __init__(
        self, what: str, size: int, *, is_union: bool, base: int = 0, number: str = ""
    ) -> None:
        self.what = what
        self.size = size
        self.is_union = is_union
        self.is_shadow = False
        """Whether pointers to functions are programs, and other pointers left out."""
        self.left_out: list[str] = []
        """C names of those."""
        self.base = base
        self.number = number
        self.members: list[Member] = []
        self.entries: list[Group] = []
        """Of ``_fields_``."""
        self.anonymous: list[str] = []
        """Names in ``_anonymous_``."""
        self.offsets: list[int] = []
        """Of the entries that are not hidden."""
        self.packed = False
        """Whether ``_pack_`` is needed for C's offsets."""
        self.align = 1
        self.unnamed = 0
        """Anonymous structs and unions in it, as far as seen."""
        self._cursor = 0
        # end of the last entry; of the largest one in a union

    def place(self, name: str, declaration: str, bit_offset: int, shape: Shape) -> None:
        """Add a member that is no bit-field and has a name."""
        start = self._start(declaration, bit_offset, shape.size)
        if shape.ctype is None or not self._has_room(start):
            how = Place.MEMBER
        else:
            how = Place.FIELD
            self._enter(name, start, shape)
            self.offsets.append(start)
        self.members.append(Member(name, declaration, how, bit_offset, shape))

    def place_bits(
        self,
        name: str,
        declaration: str,
        bit_offset: int,
        width: int,
        shape: Shape,
        *,
        signed: bool,
    ) -> None:
        """Add a bit-field."""
        if bit_offset + width > 8 * self.size:
            raise BtfError(f"{self.what}: {_short(declaration)} ends outside of it")
        self.members.append(
            Member(name, declaration, Place.BITS, bit_offset, shape, width, signed)
        )

    def place_flexible(
        self, name: str, declaration: str, bit_offset: int, element: Shape
    ) -> None:
        """Add an array without a length, at the end."""
        self._start(declaration, bit_offset, 0)
        place = Place.TEXT if element is CHAR else Place.FLEXIBLE
        self.members.append(Member(name, declaration, place, bit_offset, element))

    def place_operation(
        self, name: str, declaration: str, bit_offset: int, function: str
    ) -> None:
        """Add a pointer to a function, which a program takes the place of."""
        self._start(declaration, bit_offset, POINTER.size)
        place = Place.OPERATION
        member = Member(name, declaration, place, bit_offset, POINTER)
        self.members.append(member._replace(function=function))

    def place_anonymous(self, bit_offset: int, shape: Shape, inner: "Layout") -> bool:
        """Add an anonymous struct or union; its members become this one's.

        Tells whether its class is used.
        """
        members = inner.members
        start = self._start("an anonymous member", bit_offset, shape.size)
        if self._has_room(start):
            name = f"{self._hidden(start, start + shape.size)} #{inner.number}"
            self._enter(name, start, shape)
            self.anonymous.append(name)
            self.members += [member.shifted(start) for member in members]
            return True
        for member in members:  # off its alignment, or over another member
            how = Place.MEMBER if member.place is Place.FIELD else member.place
            self.members.append(member.shifted(start)._replace(place=how))
        return False

    def finish(self) -> None:
        """Fill up to the end."""
        if self._cursor < self.size:
            self._fill(self._cursor if not self.is_union else 0, self.size)
        if self.size % self.align:
            self.packed = True
        if self.packed:
            self.align = 1

    def _start(self, declaration: str, bit_offset: int, size: int) -> int:
        start, odd = divmod(bit_offset, 8)
        if odd:
            raise BtfError(f"{self.what}: {_short(declaration)} begins within a byte")
        if start + size > self.size:
            raise BtfError(f"{self.what}: {_short(declaration)} ends outside of it")
        return start

    def _has_room(self, start: int) -> bool:
        return start == 0 if self.is_union else start >= self._cursor

    def _enter(self, name: str, start: int, shape: Shape) -> None:
        if not self.is_union and start > self._cursor:
            self._fill(self._cursor, start)
        if start % shape.align:
            self.packed = True
        self.align = max(self.align, shape.align)
        self.entries.append(_entry(name, shape.ctype or ""))
        self._cursor = max(self._cursor, start + shape.size)

    def _fill(self, start: int, end: int) -> None:
        size = end - start
        self.entries.append(
            _entry(self._hidden(start, end), f"ctypes.c_uint8 * {size}")
        )
        self._cursor = end

    def _hidden(self, start: int, end: int) -> str:
        return f"{self.base + start}:{self.base + end}"


def _entry(name: str, ctype: Expr) -> Group:
    return Group("", (f'"{name}"', ctype))


def _short(declaration: str) -> str:
    return f"'{declaration[:80]}'"
