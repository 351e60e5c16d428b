"""The members of a struct or union, checked against its size and put into words.

Offsets and sizes are BTF's; what they mean for memory is the runtime's business
(``skelgen.runtime.values.layout``).
"""

from enum import Enum, auto
from typing import NamedTuple

from skelgen.codegen.pretty import Expr, Group
from skelgen.codegen.shapes import CHAR, POINTER, Shape
from skelgen.codegen.text import code, literal, sentence
from skelgen.errors import BtfError


class Place(Enum):
    """How a member is declared."""

    MEMBER = auto()
    """``rt.member``."""
    BITS = auto()
    """``rt.bits``."""
    FLEXIBLE = auto()
    """``rt.flexible``."""
    TEXT = auto()
    """``rt.flexible_bytes``."""
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
    annotation: str
    """Python type that it is read as; empty for an operation."""
    width: int = 0
    """Bits of a bit-field."""
    signed: bool = False
    """Whether a bit-field is signed."""
    function: str = ""
    """C name of an operation."""

    @property
    def text(self) -> Group:
        """The statement that declares the attribute."""
        return Group(f"{self._target} = {self._how}", self._arguments)

    @property
    def _target(self) -> str:
        return f"{self.name}: {self.annotation}" if self.annotation else self.name

    @property
    def _how(self) -> str:
        return {
            Place.MEMBER: "rt.member",
            Place.BITS: "rt.bits",
            Place.FLEXIBLE: "rt.flexible",
            Place.TEXT: "rt.flexible_bytes",
            Place.OPERATION: "rt.Operation",
        }[self.place]

    @property
    def _arguments(self) -> tuple[Expr, ...]:
        offset = str(self.bit_offset // 8)
        if self.place is Place.BITS:
            signed = ("signed=True",) if self.signed else ()
            return (str(self.bit_offset), f"width={self.width}", *signed)
        if self.place is Place.OPERATION:
            return (literal(self.function), offset)
        return (self.codec, offset) if self.codec else (offset,)

    @property
    def codec(self) -> Expr:
        """Its type, where the declaration names one."""
        if self.place is Place.MEMBER:
            return self.shape.member
        return self.shape.codec if self.place is Place.FLEXIBLE else ""

    @property
    def doc(self) -> str:
        """Docstring: C declaration, and what else there is to know."""
        text = code(self.declaration)
        if self.place in {Place.FLEXIBLE, Place.TEXT}:
            text += ": what follows the struct in a record"
        elif self.place is Place.MEMBER:
            text += self.shape.note
        if self.shape.enum:
            text += f"; compare with :class:`{self.shape.enum}`"
        return sentence(text)


class Layout:
    """The members of a struct or union, added one by one in BTF's order.

    ``what`` is its name in messages.
    """

    __slots__ = (
        "is_shadow",
        "is_union",
        "left_out",
        "members",
        "size",
        "unnamed",
        "what",
    )

    def __init__(self, what: str, size: int, *, is_union: bool) -> None:
        self.what = what
        self.size = size
        self.is_union = is_union
        self.is_shadow = False
        """Whether pointers to functions are programs, and other pointers left out."""
        self.left_out: list[str] = []
        """C names of those."""
        self.members: list[Member] = []
        self.unnamed = 0
        """Anonymous structs and unions in it, as far as seen."""

    def place(self, name: str, declaration: str, bit_offset: int, shape: Shape) -> None:
        """Add a member that is no bit-field and has a name."""
        self._check(declaration, bit_offset, shape.size)
        self.members.append(
            Member(name, declaration, Place.MEMBER, bit_offset, shape, shape.annotation)
        )

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
            Member(
                name, declaration, Place.BITS, bit_offset, shape, "int", width, signed
            )
        )

    def place_flexible(
        self, name: str, declaration: str, bit_offset: int, element: Shape
    ) -> None:
        """Add an array without a length, at the end."""
        self._check(declaration, bit_offset, 0)
        is_text = element is CHAR
        place = Place.TEXT if is_text else Place.FLEXIBLE
        annotation = "bytes" if is_text else f"tuple[{element.annotation}, ...]"
        self.members.append(
            Member(name, declaration, place, bit_offset, element, annotation)
        )

    def place_operation(
        self, name: str, declaration: str, bit_offset: int, function: str
    ) -> None:
        """Add a pointer to a function, which a program takes the place of."""
        self._check(declaration, bit_offset, POINTER.size)
        member = Member(name, declaration, Place.OPERATION, bit_offset, POINTER, "")
        self.members.append(member._replace(function=function))

    def place_anonymous(self, bit_offset: int, inner: "Layout") -> None:
        """Add an anonymous struct or union: its members become this one's."""
        self._check("an anonymous member", bit_offset, inner.size)
        self.members += [
            member._replace(bit_offset=member.bit_offset + bit_offset)
            for member in inner.members
        ]

    def _check(self, declaration: str, bit_offset: int, size: int) -> None:
        start, odd = divmod(bit_offset, 8)
        if odd:
            raise BtfError(f"{self.what}: {_short(declaration)} begins within a byte")
        if start + size > self.size:
            raise BtfError(f"{self.what}: {_short(declaration)} ends outside of it")


def _short(declaration: str) -> str:
    return f"'{declaration[:80]}'"
