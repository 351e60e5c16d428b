"""How a C value looks in Python: one :class:`Codec` a C type.

A codec belongs to every map key, map value, global and struct member. It knows the
size in bytes, packs a checked Python value into bytes of this machine's byte order
and unpacks it again. What does not fit is refused, never cut: ``OverflowError`` out
of range, ``TypeError`` of the wrong type, ``ValueError`` of the wrong length.

A *slot* is one value in writable memory, as a sequence of one: ``slot[0]`` reads and
``slot[0] = x`` writes it. For integers it is a cast :class:`memoryview`, which costs
40 ns and stores with one machine instruction, so that a program running meanwhile
sees the old value or the new one. (``struct.pack_into`` clears the bytes first.)
"""

from __future__ import annotations

# ruff: noqa: ANN401 (types of ctypes have no common name)
import ctypes
import struct as _struct
import sys

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import SIZE, must_be, number
from skelgen.runtime.process.once import one_each
from skelgen.runtime.values.codec_base import (
    Codec,
    Copied,
    PlainSlot,
    Slot,
    checked,
    packed,
    wrong_type,
)

if TYPE_CHECKING:
    from enum import IntEnum
    from typing import Any, Final

    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = (
    "BOOL",
    "F32",
    "F64",
    "I8",
    "I16",
    "I32",
    "I64",
    "I128",
    "U8",
    "U16",
    "U32",
    "U64",
    "U128",
    "BoolCodec",
    "Bytes",
    "BytesCodec",
    "CString",
    "Codec",
    "Copied",
    "EnumCodec",
    "FloatCodec",
    "Int128Codec",
    "IntCodec",
    "Slot",
    "checked",
    "enum",
    "packed",
)


# -- numbers -------------------------------------------------------------------


def _bound(value: int) -> str:
    """Return a bound of a range as people write it: 255, 2**64-1, -2**63."""
    if abs(value) < 1 << 32:
        return str(value)
    if value < 0:
        return f"-2**{(-value).bit_length() - 1}"
    return f"2**{value.bit_length()}-1"


class IntCodec(Codec[int]):
    """An integer, enumeration or pointer."""

    __slots__ = ("_struct", "format", "high", "low")

    def __init__(
        self,
        name: str,
        ctype: Any,
        size: int,
        format: str,
    ) -> None:
        bits = 8 * size
        signed = name[0] == "i"
        self.low = -1 << (bits - 1) if signed else 0
        self.high = (1 << (bits - signed)) - 1
        super().__init__(
            f"int in {_bound(self.low)}..{_bound(self.high)} ({name})", size, ctype
        )
        self.format = format
        """Letter of :mod:`struct`, native size."""
        self._struct = _struct.Struct(format)

    def coerce(self, value: int) -> int:
        """See :meth:`Codec.coerce`."""
        try:
            number = value.__index__()
        except (AttributeError, TypeError):
            raise wrong_type(self.text, value) from None
        if self.low <= number <= self.high:
            return number
        raise OverflowError(f"must be {self.text}, got {number}")

    def to_bytes(self, value: int) -> bytes:
        """See :meth:`Codec.to_bytes`."""
        return self._struct.pack(self.coerce(value))

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> int:
        """Return the value at an offset of a buffer."""
        number: int = self._struct.unpack_from(buffer, offset)[0]
        return number

    def unpack_all(self, buffer: ReadableBuffer, count: int) -> list[int]:
        """Return the first ``count`` values of a buffer."""
        view: Any = memoryview(buffer).cast("B")[: count * self.size]
        numbers: list[int] = view.cast(self.format).tolist()
        return numbers

    def slot(self, memory: WriteableBuffer, offset: int = 0) -> Slot[int]:
        """Return a slot over the memory."""
        view: Any = memoryview(memory).cast("B")[offset : offset + self.size]
        slot: Slot[int] = view.cast(self.format)
        return slot


class Int128Codec(IntCodec):
    """``__int128``: two 64-bit words, which are not stored at one time."""

    __slots__ = ("_signed",)

    def __init__(self, name: str) -> None:
        super().__init__(name, ctypes.c_uint64 * 2, 16, "16s")
        self.by_ctypes = False
        self._signed = name[0] == "i"

    def coerce(self, value: int) -> Any:
        """See :meth:`Codec.coerce`."""
        return self.ctype.from_buffer_copy(self.to_bytes(value))

    def to_bytes(self, value: int) -> bytes:
        """See :meth:`Codec.to_bytes`."""
        number = super().coerce(value)
        return number.to_bytes(16, sys.byteorder, signed=self._signed)

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> int:
        """Return the value at an offset of a buffer."""
        data: bytes = self._struct.unpack_from(buffer, offset)[0]
        return int.from_bytes(data, sys.byteorder, signed=self._signed)

    def unpack_all(self, buffer: ReadableBuffer, count: int) -> list[int]:
        """Return the first ``count`` values of a buffer."""
        return [self.unpack(buffer, 16 * i) for i in range(count)]

    def slot(self, memory: WriteableBuffer, offset: int = 0) -> Slot[int]:
        """Return a slot over the memory."""
        return PlainSlot(self, memory, offset)


class EnumCodec(IntCodec):
    """An enumeration: values with a name are read as members of a class."""

    __slots__ = ("_members", "cls")

    def __init__(self, cls: type[IntEnum], codec: IntCodec) -> None:
        super().__init__(
            codec.text.partition("(")[2].rstrip(")"),
            codec.ctype,
            codec.size,
            codec.format,
        )
        self.by_ctypes = False
        self.cls = cls
        """The enumeration."""
        self._members: dict[int, int] = {member.value: member for member in cls}

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> int:
        """Return the value at an offset of a buffer."""
        number = super().unpack(buffer, offset)
        return self._members.get(number, number)

    def unpack_all(self, buffer: ReadableBuffer, count: int) -> list[int]:
        """Return the first ``count`` values of a buffer."""
        members = self._members
        return [members.get(n, n) for n in super().unpack_all(buffer, count)]

    def slot(self, memory: WriteableBuffer, offset: int = 0) -> Slot[int]:
        """Return a slot over the memory."""
        return _EnumSlot(super().slot(memory, offset), self._members)


class _EnumSlot:
    __slots__ = ("members", "view")

    def __init__(self, view: Slot[int], members: dict[int, int]) -> None:
        self.view = view
        self.members = members

    def __getitem__(self, index: int, /) -> int:
        number = self.view[0]
        return self.members.get(number, number)

    def __setitem__(self, index: int, value: int, /) -> None:
        self.view[0] = value


class BoolCodec(Codec[bool]):
    """``_Bool``: any byte but 0 reads as True."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("bool", 1, ctypes.c_bool)

    def coerce(self, value: bool) -> bool:  # noqa: FBT001 (the value it is about)
        """See :meth:`Codec.coerce`."""
        if value is True or value is False:
            return value
        try:
            number = value.__index__()
        except (AttributeError, TypeError):
            raise wrong_type(self.text, value) from None
        if number in {0, 1}:
            return bool(number)
        raise OverflowError(f"must be {self.text}, got {number}")

    def to_bytes(self, value: bool) -> bytes:  # noqa: FBT001 (the value it is about)
        """See :meth:`Codec.to_bytes`."""
        return b"\1" if self.coerce(value) else b"\0"

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> bool:
        """Return the value at an offset of a buffer."""
        flag: bool = _struct.unpack_from("?", buffer, offset)[0]
        return flag

    def out_of(self, owner: Copied) -> Codec[bool]:
        """See :meth:`Codec.out_of`."""
        return _BoolKey() if owner.key else self


class _BoolKey(BoolCodec):
    """A ``_Bool`` that tells elements apart: a byte that C does not write is an int."""

    __slots__ = ()

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> bool:
        """Return the value at an offset of a buffer."""
        number: int = _struct.unpack_from("B", buffer, offset)[0]
        return bool(number) if number < 2 else number  # type: ignore[return-value] # see above


class FloatCodec(Codec[float]):
    """``float`` (with its rounding) or ``double``."""

    __slots__ = ("_checker", "_struct")

    def __init__(self, name: str, ctype: Any, format: str) -> None:
        super().__init__(f"float ({name})", _struct.calcsize(format), ctype)
        self._struct = _struct.Struct(format)
        self._checker = _struct.Struct("=" + format)  # native sizes are not checked

    def coerce(self, value: float) -> float:
        """See :meth:`Codec.coerce`."""
        if isinstance(value, (str, bytes, bytearray)):
            raise wrong_type(self.text, value)
        try:
            number = float(value)
        except TypeError:
            raise wrong_type(self.text, value) from None
        try:
            self._checker.pack(number)
        except OverflowError:
            raise OverflowError(f"must be {self.text}, got {number}") from None
        return number

    def to_bytes(self, value: float) -> bytes:
        """See :meth:`Codec.to_bytes`."""
        return self._struct.pack(self.coerce(value))

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> float:
        """Return the value at an offset of a buffer."""
        number: float = self._struct.unpack_from(buffer, offset)[0]
        return number

    def slot(self, memory: WriteableBuffer, offset: int = 0) -> Slot[float]:
        """Return a slot over the memory."""
        if self.size == 4:
            return PlainSlot(self, memory, offset)  # a memoryview would store infinity
        return memoryview(memory).cast("B")[offset : offset + 8].cast("d")


# -- bytes ---------------------------------------------------------------------


class BytesCodec(Codec[bytes]):
    """Bytes: exactly so many, or a C string in an array of ``char``."""

    __slots__ = ("_struct", "cstring")

    def __init__(self, size: int, *, cstring: bool) -> None:
        size = number(size, "size", SIZE)
        text = f"at most {size} bytes" if cstring else f"exactly {size} bytes"
        # c_char * n is what ctypes reads as bytes up to the first NUL
        super().__init__(
            text, size, (ctypes.c_char if cstring else ctypes.c_uint8) * size
        )
        self._struct = _struct.Struct(f"{size}s")
        self.by_ctypes = cstring
        self.cstring = cstring
        """Whether it is read up to the first NUL and may be shorter when written."""

    def coerce(self, value: bytes) -> Any:
        """See :meth:`Codec.coerce`."""
        data = self.to_bytes(value)
        return data if self.cstring else self.ctype.from_buffer_copy(data)

    def to_bytes(self, value: bytes) -> bytes:
        """See :meth:`Codec.to_bytes`."""
        if type(value) is not bytes:
            if isinstance(value, str):
                raise wrong_type("bytes", value, " (encode it)")
            try:
                value = memoryview(value).tobytes()
            except TypeError:
                raise wrong_type("bytes", value) from None
        size = self.size
        if len(value) == size:
            return value
        if self.cstring and len(value) < size:
            return value.ljust(size, b"\0")
        raise ValueError(f"must be {self.text}, got {len(value)}")

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> bytes:
        """Return the value at an offset of a buffer."""
        data: bytes = self._struct.unpack_from(buffer, offset)[0]
        return data.partition(b"\0")[0] if self.cstring else data

    def out_of(self, owner: Copied) -> Codec[bytes]:
        """See :meth:`Codec.out_of`."""
        return _StringKey(self.size) if owner.key and self.cstring else self


class _StringKey(BytesCodec):
    """``char[n]`` that tells elements apart, by all that the kernel compares.

    What has something behind its first NUL is read as all ``n`` bytes, which are what
    finds the element, too.
    """

    __slots__ = ()

    def __init__(self, size: int) -> None:
        super().__init__(size, cstring=True)

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> bytes:
        """Return the value at an offset of a buffer."""
        data: bytes = self._struct.unpack_from(buffer, offset)[0]
        text, _, rest = data.partition(b"\0")
        return data if rest.strip(b"\0") else text


U8: Final = IntCodec("u8", ctypes.c_uint8, 1, "B")
"""``__u8``, ``unsigned char``."""
U16: Final = IntCodec("u16", ctypes.c_uint16, 2, "H")
"""``__u16``, ``__be16``."""
U32: Final = IntCodec("u32", ctypes.c_uint32, 4, "I")
"""``__u32``, ``__be32``."""
U64: Final = IntCodec("u64", ctypes.c_uint64, 8, "Q")
"""``__u64``, ``__be64``, and every pointer."""
U128: Final = Int128Codec("u128")
"""``unsigned __int128``."""
I8: Final = IntCodec("i8", ctypes.c_int8, 1, "b")
"""``__s8``, and a single ``char``."""
I16: Final = IntCodec("i16", ctypes.c_int16, 2, "h")
"""``__s16``."""
I32: Final = IntCodec("i32", ctypes.c_int32, 4, "i")
"""``__s32``."""
I64: Final = IntCodec("i64", ctypes.c_int64, 8, "q")
"""``__s64``."""
I128: Final = Int128Codec("i128")
"""``__int128``."""
BOOL: Final = BoolCodec()
"""``_Bool``."""
F32: Final = FloatCodec("f32", ctypes.c_float, "f")
"""``float``."""
F64: Final = FloatCodec("f64", ctypes.c_double, "d")
"""``double``."""


def Bytes(size: int) -> BytesCodec:  # noqa: N802 (stands where the constants stand)
    """Return the codec of exactly ``size`` bytes."""
    return BytesCodec(size, cstring=False)


def CString(size: int) -> BytesCodec:  # noqa: N802 (stands where the constants stand)
    """Return the codec of ``char[size]``, read as bytes up to the first NUL.

    Shorter bytes are filled up with NULs when written; ``size`` bytes leave no NUL.
    """
    return _cstring(number(size, "size", SIZE))


@one_each
def _cstring(size: int) -> BytesCodec:
    return BytesCodec(size, cstring=True)


def enum(cls: type[IntEnum], codec: IntCodec) -> EnumCodec:
    """Return the codec of an enumeration stored as ``codec`` stores integers.

    Any integer in range is accepted; one that has no name is read as plain ``int``.
    """
    must_be(type, cls, "cls", "an enumeration")
    must_be(IntCodec, codec, "codec", "the codec of an integer")
    return EnumCodec(cls, codec)
