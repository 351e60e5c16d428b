"""Members of structs: how a class body declares one, and how it is read and written."""

from __future__ import annotations

# ruff: noqa: ANN401 (a struct and its values are of any type)
import sys

from skelgen._typing import TYPE_CHECKING, TypeVar, overload
from skelgen.arguments import must_be, number, wrong
from skelgen.runtime.values.array import begin
from skelgen.runtime.values.codec import Codec, Copied, packed

if TYPE_CHECKING:
    from typing import Any, Final, Literal, SupportsIndex

    from skelgen.runtime.values.array import Array, ArrayCodec

T = TypeVar("T")
E = TypeVar("E")

PLACE: Final = (0, (1 << 32) - 1)
"""Where a member may be, in bytes: BTF has 32 bits for it."""


class Descriptor:
    """A member that is read and written in Python, over the bytes of its struct."""

    __slots__ = ("end", "name", "offset")
    flexible = False
    """Whether it is an array without end, behind the struct's own bytes."""

    def __init__(self, offset: int, size: int) -> None:
        self.offset = number(offset, "offset", PLACE)
        """Bytes from the start of the struct."""
        self.end = offset + size
        """Bytes from there to its end."""
        self.name = ""
        """Its name in the class."""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type[object]) -> Any:
        return self if instance is None else self.read(instance)

    def __set__(self, instance: Any, value: Any) -> None:
        self.write(instance, value)

    def read(self, struct: Any) -> Any:
        """Return the value in a struct."""
        raise NotImplementedError

    def write(self, struct: Any, value: Any, /) -> None:
        """Check a value and store it in a struct."""
        raise NotImplementedError


class Member(Descriptor):
    """A member of any codec: a field of ctypes, or what ctypes cannot read."""

    __slots__ = ("codec",)

    def __init__(self, codec: Any, offset: Any) -> None:
        # calls only where something is wrong: a start may make hundreds of members
        if not isinstance(codec, Codec):
            raise wrong("codec", "a codec, like rt.U32", codec)
        if type(offset) is not int:
            offset = number(offset, "offset", PLACE)
        self.codec: Codec[Any] = codec
        """Its C type."""
        self.offset = offset
        self.end = offset + self.codec.size

    def read(self, struct: Any) -> Any:
        """See :meth:`Descriptor.read`."""
        return self.codec.unpack(struct, self.offset)

    def write(self, struct: Any, value: Any, /) -> None:
        """See :meth:`Descriptor.write`."""
        data = packed(self.codec, value, f"{type(struct).__name__}.{self.name}")
        owner = begin(struct)
        memoryview(struct).cast("B")[self.offset : self.end] = data
        if owner is not None:
            owner.push()


class BitField(Descriptor):
    """A bit-field."""

    __slots__ = ("_high", "_low", "_mask", "_shift", "_width")

    def __init__(self, offset: int, width: int, *, signed: bool) -> None:
        offset = number(offset, "offset", (0, 8 * PLACE[1]))
        width = number(width, "width", (1, 64))
        skip = offset % 8
        size = (skip + width + 7) // 8
        super().__init__(offset // 8, size)
        self._width = width
        self._mask = (1 << width) - 1
        self._shift = skip if sys.byteorder == "little" else 8 * size - skip - width
        """Bits to its right, in the bytes that it lies in."""
        self._low = -1 << (width - 1) if signed else 0
        self._high = (1 << (width - bool(signed))) - 1

    def read(self, struct: Any) -> int:
        """See :meth:`Descriptor.read`."""
        memory = memoryview(struct).cast("B")[self.offset : self.end]
        value = int.from_bytes(memory, sys.byteorder) >> self._shift & self._mask
        return value - self._mask - 1 if value > self._high else value

    def write(self, struct: Any, value: SupportsIndex, /) -> None:
        """See :meth:`Descriptor.write`."""
        text = (
            f"{type(struct).__name__}.{self.name} must be int in "
            f"{self._low}..{self._high} ({self._width} bits), got "
        )
        try:
            found = value.__index__()
        except (AttributeError, TypeError):
            raise TypeError(text + type(value).__name__) from None
        if not self._low <= found <= self._high:
            raise OverflowError(text + str(found))
        owner = begin(struct)
        memory = memoryview(struct).cast("B")[self.offset : self.end]
        word = int.from_bytes(memory, sys.byteorder) & ~(self._mask << self._shift)
        word |= (found & self._mask) << self._shift
        memory[:] = word.to_bytes(len(memory), sys.byteorder)
        if owner is not None:
            owner.push()


class FlexibleBytes(Descriptor):
    """A flexible array of ``char``."""

    __slots__ = ()
    flexible = True

    def __init__(self, offset: int) -> None:
        super().__init__(offset, 0)

    def read(self, struct: Any) -> Any:
        """Return what follows the struct in its record."""
        return getattr(struct, "__tail__", b"")

    def write(self, struct: Any, _value: object, /) -> None:
        """Refuse: a record of the kernel is not made here."""
        raise AttributeError(
            f"{type(struct).__name__}.{self.name} is a flexible array: read-only"
        )


class Flexible(FlexibleBytes):
    """A flexible array of anything else."""

    __slots__ = ("codec",)

    def __init__(self, codec: Codec[Any], offset: int) -> None:
        must_be(Codec, codec, "codec", "a codec, like rt.U32")
        super().__init__(offset)
        self.codec = codec

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name
        what = f"{owner.__name__}.{name}"
        self.codec = self.codec.out_of(Copied(what, "take copy.deepcopy() of it"))

    def read(self, struct: Any) -> tuple[Any, ...]:
        """Return as many elements as follow the struct in its record."""
        tail: bytes = super().read(struct)
        size = self.codec.size
        starts = range(0, len(tail) - size + 1, size)
        return tuple(self.codec.unpack(tail, start) for start in starts)


# -- declarations --------------------------------------------------------------
#
# To a type checker each returns what the member is read as: `pid: int = member(U32, 0)`.


@overload
def member(codec: ArrayCodec[E], offset: int) -> Array[E, Any]: ...
@overload
def member(codec: Codec[T], offset: int) -> T: ...
def member(codec: Codec[Any], offset: int) -> Any:
    """Declare a member of a struct or union: its C type, and its offset in bytes.

    ``pid: int = rt.member(rt.U32, 0)``. Members may overlap, and need no alignment:
    those of an anonymous union are declared as members of the struct around it.
    """
    return Member(codec, offset)


def bits(offset: int, *, width: int, signed: bool = False) -> int:
    """Declare a bit-field: its offset and width, in bits.

    Bits are counted from the start of the struct, as BTF counts them on this byte
    order. Writing reads and stores the bytes around it: not in one step.
    """
    declared: Any = BitField(offset, width, signed=signed)
    return declared  # type: ignore[no-any-return] # read as int


def flexible(
    codec: Codec[T],
    offset: int,
    *,
    init: Literal[False] = False,  # noqa: ARG001 (for type checkers: no argument)
) -> tuple[T, ...]:
    """Declare a flexible array at the end of a struct, ``T x[]``: read-only.

    Filled in records of a ring buffer, whose length says how many elements there are;
    empty in every other struct.
    """
    declared: Any = Flexible(codec, offset)
    return declared  # type: ignore[no-any-return] # read as a tuple


def flexible_bytes(
    offset: int,
    *,
    init: Literal[False] = False,  # noqa: ARG001 (for type checkers: no argument)
) -> bytes:
    """Declare ``char x[]`` at the end of a struct: like :func:`flexible`, as bytes.

    All bytes to the end of the record, NULs included.
    """
    declared: Any = FlexibleBytes(offset)
    return declared  # type: ignore[no-any-return] # read as bytes
