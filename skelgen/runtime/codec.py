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

import ctypes
import struct as _struct
import sys
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import IntEnum

    from _typeshed import ReadableBuffer, WriteableBuffer

T = TypeVar("T")


class Slot(Protocol[T]):
    """One value in memory."""

    def __getitem__(self, index: int, /) -> T: ...
    def __setitem__(self, index: int, value: T, /) -> None: ...


class Codec(Generic[T]):
    """A C type, as keys, values and globals of type ``T``."""

    __slots__ = ("ctype", "size", "text")

    def __init__(self, text: str, size: int, ctype: Any) -> None:  # noqa: ANN401 (ctypes' types have no common name)
        self.text = text
        """What a value has to be, for messages."""
        self.size = size
        """Bytes in C."""
        self.ctype = ctype
        """What stands for the type in ``_fields_`` of a ctypes structure."""

    def __repr__(self) -> str:
        return f"<codec of {self.size} bytes: {self.text}>"

    def coerce(self, value: T) -> Any:  # noqa: ANN401 (whatever ctypes stores without another check)
        """Return a checked value as ctypes stores it.

        The text of what it raises begins with "must be"; callers put before it
        whose value it is.
        """
        raise NotImplementedError

    def pack(self, value: T) -> bytes:
        """Return the value as bytes, as they are in memory.

        Raises TypeError, OverflowError or ValueError.
        """
        return packed(self, value, "value")

    def _pack(self, value: T) -> bytes:
        raise NotImplementedError

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> T:
        """Return the value at an offset of a buffer, as a copy."""
        raise NotImplementedError

    def unpack_all(self, buffer: "ReadableBuffer", count: int) -> list[T]:
        """Return the first ``count`` values of a buffer, one right after the other."""
        return [self.unpack(buffer, i * self.size) for i in range(count)]

    @property
    def least(self) -> int:
        """Bytes that a record of a ring buffer has to have, which may have more."""
        return self.size

    def reader(self) -> "Callable[[ReadableBuffer, int], T]":
        """Return the fastest form of :meth:`unpack`."""
        return self.unpack

    def sized_reader(self) -> "Callable[[bytes, int, int], T] | None":
        """Return what unpacks a record of a given size, if the size matters."""
        return None

    def slot(self, memory: "WriteableBuffer", offset: int = 0) -> Slot[T]:
        """Return a slot over the memory; what is read from it is a copy."""
        return _Slot(self, memory, offset)

    def live(self, memory: "WriteableBuffer", offset: int = 0) -> Slot[Any]:
        """Return a slot over the memory of a global.

        What is read from it stays tied to the memory if it is a struct, union or
        array.
        """
        return self.slot(memory, offset)



class _Slot(Generic[T]):
    """A slot of any codec."""

    __slots__ = ("codec", "memory", "offset")

    def __init__(
        self, codec: Codec[T], memory: "WriteableBuffer", offset: int
    ) -> None:
        self.codec = codec
        self.memory = memory
        self.offset = offset

    def __getitem__(self, index: int, /) -> T:
        return self.codec.unpack(self.memory, self.offset)

    def __setitem__(self, index: int, value: T, /) -> None:
        codec = self.codec
        data = codec._pack(value)  # noqa: SLF001 (of the same module)
        start = self.offset
        memoryview(self.memory).cast("B")[start : start + codec.size] = data


def _of(whose: str, error: Exception) -> Exception:
    """Return an error of :meth:`Codec.coerce` that says whose value it is."""
    text = str(error)
    space = "" if text.startswith("[") else " "  # "[3] must be": an element of it
    return type(error)(f"{whose}{space}{text}")


def checked(codec: Codec[T], value: T, whose: str) -> Any:  # noqa: ANN401 (as Codec.coerce)
    """Return ``codec.coerce(value)``; errors say whose value it is."""
    try:
        return codec.coerce(value)
    except (TypeError, OverflowError, ValueError) as error:
        raise _of(whose, error) from None


def packed(codec: Codec[T], value: T, whose: str) -> bytes:
    """Return ``codec.pack(value)``; errors say whose value it is."""
    try:
        return codec._pack(value)  # noqa: SLF001 (of the same module)
    except (TypeError, OverflowError, ValueError) as error:
        raise _of(whose, error) from None


def _type_error(text: str, value: object, hint: str = "") -> TypeError:
    return TypeError(f"must be {text}, got {type(value).__name__}{hint}")


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

    def __init__(self, name: str, ctype: Any, size: int, format: str) -> None:  # noqa: A002, ANN401 (the word of struct and memoryview)
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
        try:
            number = value.__index__()
        except (AttributeError, TypeError):
            raise _type_error(self.text, value) from None
        if self.low <= number <= self.high:
            return number
        raise OverflowError(f"must be {self.text}, got {number}")

    def _pack(self, value: int) -> bytes:
        return self._struct.pack(self.coerce(value))

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> int:
        number: int = self._struct.unpack_from(buffer, offset)[0]
        return number

    def unpack_all(self, buffer: "ReadableBuffer", count: int) -> list[int]:
        view = memoryview(buffer).cast("B")[: count * self.size]
        numbers: list[int] = view.cast(self.format).tolist()  # type: ignore[call-overload] # typeshed wants a literal
        return numbers

    def slot(self, memory: "WriteableBuffer", offset: int = 0) -> Slot[int]:
        view = memoryview(memory).cast("B")[offset : offset + self.size]
        return view.cast(self.format)  # type: ignore[call-overload,no-any-return] # typeshed wants a literal


class Int128Codec(IntCodec):
    """``__int128``: two 64-bit words, which are not stored at one time."""

    __slots__ = ("_signed",)

    def __init__(self, name: str) -> None:
        super().__init__(name, ctypes.c_uint64 * 2, 16, "16s")
        self._signed = name[0] == "i"

    def coerce(self, value: int) -> Any:  # noqa: ANN401 (as Codec.coerce)
        return self.ctype.from_buffer_copy(self._pack(value))

    def _pack(self, value: int) -> bytes:
        number = super().coerce(value)
        return number.to_bytes(16, sys.byteorder, signed=self._signed)

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> int:
        data: bytes = self._struct.unpack_from(buffer, offset)[0]
        return int.from_bytes(data, sys.byteorder, signed=self._signed)

    def unpack_all(self, buffer: "ReadableBuffer", count: int) -> list[int]:
        return Codec.unpack_all(self, buffer, count)

    def slot(self, memory: "WriteableBuffer", offset: int = 0) -> Slot[int]:
        return _Slot(self, memory, offset)


class EnumCodec(IntCodec):
    """An enumeration: values with a name are read as members of a class."""

    __slots__ = ("_members", "cls")

    def __init__(self, cls: "type[IntEnum]", codec: IntCodec) -> None:
        super().__init__(
            codec.text.partition("(")[2].rstrip(")"),
            codec.ctype,
            codec.size,
            codec.format,
        )
        self.cls = cls
        """The enumeration."""
        self._members: dict[int, int] = {member.value: member for member in cls}

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> int:
        number = super().unpack(buffer, offset)
        return self._members.get(number, number)

    def unpack_all(self, buffer: "ReadableBuffer", count: int) -> list[int]:
        members = self._members
        return [members.get(n, n) for n in super().unpack_all(buffer, count)]

    def slot(self, memory: "WriteableBuffer", offset: int = 0) -> Slot[int]:
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
        if value is True or value is False:
            return value
        try:
            number = value.__index__()
        except (AttributeError, TypeError):
            raise _type_error(self.text, value) from None
        if number in {0, 1}:
            return bool(number)
        raise OverflowError(f"must be {self.text}, got {number}")

    def _pack(self, value: bool) -> bytes:  # noqa: FBT001 (the value it is about)
        return b"\1" if self.coerce(value) else b"\0"

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> bool:
        flag: bool = _struct.unpack_from("?", buffer, offset)[0]
        return flag


class FloatCodec(Codec[float]):
    """``float`` (with its rounding) or ``double``."""

    __slots__ = ("_checker", "_struct")

    def __init__(self, name: str, ctype: Any, format: str) -> None:  # noqa: A002, ANN401 (the word of struct)
        super().__init__(f"float ({name})", _struct.calcsize(format), ctype)
        self._struct = _struct.Struct(format)
        self._checker = _struct.Struct("=" + format)  # native sizes are not checked

    def coerce(self, value: float) -> float:
        if isinstance(value, (str, bytes, bytearray)):
            raise _type_error(self.text, value)
        try:
            number = float(value)
        except TypeError:
            raise _type_error(self.text, value) from None
        try:
            self._checker.pack(number)
        except OverflowError:
            raise OverflowError(f"must be {self.text}, got {number}") from None
        return number

    def _pack(self, value: float) -> bytes:
        return self._struct.pack(self.coerce(value))

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> float:
        number: float = self._struct.unpack_from(buffer, offset)[0]
        return number

    def slot(self, memory: "WriteableBuffer", offset: int = 0) -> Slot[float]:
        if self.size == 4:
            return _Slot(self, memory, offset)  # a memoryview would store infinity
        return memoryview(memory).cast("B")[offset : offset + 8].cast("d")


# -- bytes ---------------------------------------------------------------------


class BytesCodec(Codec[bytes]):
    """Bytes: exactly so many, or a C string in an array of ``char``."""

    __slots__ = ("cstring",)

    def __init__(self, size: int, *, cstring: bool) -> None:
        text = f"at most {size} bytes" if cstring else f"exactly {size} bytes"
        # c_char * n is what ctypes reads as bytes up to the first NUL
        super().__init__(text, size, (ctypes.c_char if cstring else ctypes.c_uint8) * size)
        self.cstring = cstring
        """Whether it is read up to the first NUL and may be shorter when written."""

    def coerce(self, value: bytes) -> Any:  # noqa: ANN401 (as Codec.coerce)
        data = self._pack(value)
        return data if self.cstring else self.ctype.from_buffer_copy(data)

    def _pack(self, value: bytes) -> bytes:
        if not isinstance(value, bytes):
            if isinstance(value, str):
                raise _type_error("bytes", value, " (encode it)")
            try:
                value = memoryview(value).tobytes()
            except TypeError:
                raise _type_error("bytes", value) from None
        size = self.size
        if len(value) == size:
            return value
        if self.cstring and len(value) < size:
            return value.ljust(size, b"\0")
        raise ValueError(f"must be {self.text}, got {len(value)}")

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> bytes:
        data = bytes(memoryview(buffer).cast("B")[offset : offset + self.size])
        if len(data) != self.size:
            raise ValueError(f"buffer ends after {len(data)} of {self.size} bytes")
        return data.partition(b"\0")[0] if self.cstring else data


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
    return BytesCodec(size, cstring=True)


def enum(cls: "type[IntEnum]", codec: IntCodec) -> EnumCodec:
    """Return the codec of an enumeration stored as ``codec`` stores integers.

    Any integer in range is accepted; one that has no name is read as plain ``int``.
    """
    return EnumCodec(cls, codec)


_SCALARS: Final[dict[Any, Codec[Any]]] = {
    codec.ctype: codec
    for codec in (U8, U16, U32, U64, I8, I16, I32, I64, BOOL, F32, F64)
}


def scalar(ctype: Any) -> Codec[Any] | None:  # noqa: ANN401 (ctypes' types have no common name)
    """Return the codec of a ctypes scalar or ``c_char`` array; None for others."""
    codec = _SCALARS.get(ctype)
    if codec is None and getattr(ctype, "_type_", None) is ctypes.c_char:
        codec = CString(ctypes.sizeof(ctype))
    return codec
