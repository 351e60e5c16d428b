"""Members of structs that ctypes cannot express: descriptors over hidden storage."""

from __future__ import annotations

import sys

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar, overload
from skelgen.arguments import SIZE, number
from skelgen.runtime.values.array import Array, ArrayCodec, LiveSlot, begin, owner_of
from skelgen.runtime.values.codec import (
    BoolCodec,
    BytesCodec,
    Codec,
    Copied,
    FloatCodec,
    IntCodec,
    packed,
)
from skelgen.runtime.values.struct import Descriptor, Struct, StructCodec, Union

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self, SupportsFloat, SupportsIndex

T = TypeVar("T")
A = TypeVar("A", contravariant=True)  # noqa: PLC0105 (a letter, like the others)
E = TypeVar("E")
S = TypeVar("S", bound=Struct | Union)

Bytes = bytes | bytearray | memoryview


class Variable(Generic[T, A]):
    """A C variable or member: read as ``T``, assigned from ``A``.

    ``A`` is wider than ``T`` where ``T`` has literals: a type checker would otherwise
    believe that a variable set to 0 stays 0, whatever the kernel does to it. Which
    they are, the constructors of the subclasses say: a type checker does not take it
    from an inherited one.
    """

    __slots__ = ("codec", "name", "offset")

    def __init__(self, codec: Codec[Any], *, offset: int) -> None:
        self.codec: Codec[Any] = codec
        """Its C type."""
        self.offset = offset
        """Bytes from the start of the struct or section."""
        self.name = ""
        """Its name in C."""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name


class Member(Variable[T, A], Descriptor):
    """A member of a struct, of any codec at any offset in bytes."""

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: Member[int, SupportsIndex], codec: IntCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Member[bool, SupportsIndex], codec: BoolCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Member[float, SupportsFloat], codec: FloatCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Member[bytes, Bytes], codec: BytesCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Member[S, S], codec: StructCodec[S], *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Member[Array[E], Sequence[E]], codec: ArrayCodec[E], *, offset: int
        ) -> None: ...
        def __init__(self, codec: Codec[Any], *, offset: int) -> None: ...

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, instance: Struct | Union, owner: type[object]) -> T: ...
    def __get__(self, instance: Struct | Union | None, owner: type[object]) -> T | Self:
        if instance is None:
            return self
        slot = self.codec.live(instance, self.offset)
        if isinstance(slot, LiveSlot):
            object.__setattr__(slot.view, "__owner__", owner_of(instance))
        value: T = slot[0]
        return value

    def __set__(self, instance: Struct | Union, value: A) -> None:
        whose = f"{type(instance).__name__}.{self.name}"
        data = packed(self.codec, value, whose)
        section = begin(instance)
        end = self.offset + len(data)
        memoryview(instance).cast("B")[self.offset : end] = data
        if section is not None:
            section.push()


class BitField(Descriptor):
    """A bit-field, read as ``int``.

    ``bit_offset`` and ``width`` are in bits, as BTF counts them on this byte order.
    Writing reads and stores the bytes around it: not in one step.
    """

    __slots__ = ("bit_offset", "high", "low", "name", "offset", "width")

    def __init__(self, *, bit_offset: int, width: int, signed: bool = False) -> None:
        bit_offset = number(bit_offset, "bit_offset", SIZE)
        width = number(width, "width", (1, 64))
        self.bit_offset = bit_offset
        """Bits from the start of the struct."""
        self.offset = bit_offset // 8
        self.width = width
        """Bits."""
        self.low = -1 << (width - 1) if signed else 0
        self.high = (1 << (width - bool(signed))) - 1
        self.name = ""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name

    def _place(self) -> tuple[slice, int, int]:
        """Return the bytes it lies in, the bits to its right, and its mask."""
        skip = self.bit_offset % 8
        size = (skip + self.width + 7) // 8
        right = skip if sys.byteorder == "little" else 8 * size - skip - self.width
        return slice(self.offset, self.offset + size), right, (1 << self.width) - 1

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, instance: Struct | Union, owner: type[object]) -> int: ...
    def __get__(
        self, instance: Struct | Union | None, owner: type[object]
    ) -> int | Self:
        if instance is None:
            return self
        where, right, mask = self._place()
        word = int.from_bytes(memoryview(instance).cast("B")[where], sys.byteorder)
        value = word >> right & mask
        return value - mask - 1 if value > self.high else value

    def __set__(self, instance: Struct | Union, value: SupportsIndex) -> None:
        text = (
            f"{type(instance).__name__}.{self.name} must be int in "
            f"{self.low}..{self.high} ({self.width} bits), got "
        )
        try:
            number = value.__index__()
        except (AttributeError, TypeError):
            raise TypeError(text + type(value).__name__) from None
        if not self.low <= number <= self.high:
            raise OverflowError(text + str(number))
        section = begin(instance)
        where, right, mask = self._place()
        memory = memoryview(instance).cast("B")[where]
        word = int.from_bytes(memory, sys.byteorder) & ~(mask << right)
        word |= (number & mask) << right
        memory[:] = word.to_bytes(len(memory), sys.byteorder)
        if section is not None:
            section.push()


class Flexible(Descriptor, Generic[T]):
    """A flexible array at the end of a struct, ``T x[]``: read-only.

    Filled in records of a ring buffer, whose length says how much there is; empty in
    every other struct.
    """

    __slots__ = ("codec", "name", "offset")
    flexible = True

    def __init__(self, codec: Codec[T], *, offset: int) -> None:
        self.codec = codec
        self.offset = offset
        self.name = ""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name
        what = f"{owner.__name__}.{name}"
        self.codec = self.codec.out_of(Copied(what, "take copy.deepcopy() of it"))

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(
        self, instance: Struct | Union, owner: type[object]
    ) -> tuple[T, ...]: ...
    def __get__(
        self, instance: Struct | Union | None, owner: type[object]
    ) -> tuple[T, ...] | Self:
        if instance is None:
            return self
        tail: bytes = getattr(instance, "__tail__", b"")
        size = self.codec.size
        starts = range(0, len(tail) - size + 1, size)
        return tuple(self.codec.unpack(tail, start) for start in starts)

    def __set__(self, instance: Struct | Union, value: object) -> None:
        raise AttributeError(
            f"{type(instance).__name__}.{self.name} is a flexible array: read-only"
        )


class FlexibleBytes(Descriptor):
    """``char x[]`` at the end of a struct: like :class:`Flexible`, as bytes.

    All bytes to the end of the record, NULs included.
    """

    __slots__ = ("name", "offset")
    flexible = True

    def __init__(self, *, offset: int) -> None:
        self.offset = offset
        self.name = ""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, instance: Struct | Union, owner: type[object]) -> bytes: ...
    def __get__(
        self, instance: Struct | Union | None, owner: type[object]
    ) -> bytes | Self:
        if instance is None:
            return self
        tail: bytes = getattr(instance, "__tail__", b"")
        return tail

    def __set__(self, instance: Struct | Union, value: object) -> None:
        raise AttributeError(
            f"{type(instance).__name__}.{self.name} is a flexible array: read-only"
        )
