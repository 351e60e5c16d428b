"""The base class of codecs; :mod:`skelgen.runtime.values.codec` has the codecs."""

from __future__ import annotations

# ruff: noqa: ANN401 (types of ctypes have no common name)
from skelgen._typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from _typeshed import ReadableBuffer, WriteableBuffer

T = TypeVar("T")


class Slot(Protocol[T]):
    """One value in memory."""

    def __getitem__(self, index: int, /) -> T: ...
    def __setitem__(self, index: int, value: T, /) -> None: ...


class Copied:
    """Where a struct, array or list was copied out of: nobody hears of writes to it."""

    __slots__ = ("_hint", "_what", "key")

    def __init__(self, what: str, hint: str, *, key: bool = False) -> None:
        self._what = what
        self._hint = hint
        self.key = key
        """Whether it is the key of an element, which the kernel tells by all bytes."""

    def error(self) -> TypeError:
        """Return the error about a write: it would change nothing but the copy."""
        return TypeError(f"{self._what} is a copy, and read-only; {self._hint}")


class Codec(Generic[T]):
    """A C type, as keys, values and globals of type ``T``."""

    __slots__ = ("by_ctypes", "ctype", "size", "text")

    def __init__(self, text: str, size: int, ctype: Any) -> None:
        self.text = text
        """The kind of value that it takes, for messages."""
        self.size = size
        """Bytes in C."""
        self.ctype = ctype
        """The type in ctypes, of the same size."""
        self.by_ctypes = True
        """Whether ctypes reads and writes that type as the codec does."""

    def __repr__(self) -> str:
        return f"<codec of {self.size} bytes: {self.text}>"

    def coerce(self, value: T) -> Any:
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

    def to_bytes(self, value: T) -> bytes:
        """Return the value as bytes; errors are those of :meth:`coerce`."""
        raise NotImplementedError

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> T:
        """Return the value at an offset of a buffer, as a copy."""
        raise NotImplementedError

    def out_of(self, owner: Copied) -> Codec[T]:
        """Return the codec whose values say that they were copied out of something.

        Itself where its values cannot be written to, and are told apart.
        """
        del owner
        return self

    def unpack_all(self, buffer: ReadableBuffer, count: int) -> list[T]:
        """Return the first ``count`` values of a buffer, one right after the other."""
        return [self.unpack(buffer, i * self.size) for i in range(count)]

    @property
    def least(self) -> int:
        """Bytes that a record of a ring buffer has to have, which may have more."""
        return self.size

    def reader(self) -> Callable[[ReadableBuffer, int], T]:
        """Return the fastest form of :meth:`unpack`."""
        return self.unpack

    def sized_reader(self) -> Callable[[bytes, int, int], T] | None:
        """Return what unpacks a record of a given size, if the size matters."""
        return None

    def slot(self, memory: WriteableBuffer, offset: int = 0) -> Slot[T]:
        """Return a slot over the memory; what is read from it is a copy."""
        return PlainSlot(self, memory, offset)

    def live(self, memory: WriteableBuffer, offset: int = 0) -> Slot[Any]:
        """Return a slot over the memory of a global.

        What is read from it stays tied to the memory if it is a struct, union or
        array.
        """
        return self.slot(memory, offset)


class PlainSlot(Generic[T]):
    """A slot of any codec: packs and unpacks."""

    __slots__ = ("codec", "memory", "offset")

    def __init__(self, codec: Codec[T], memory: WriteableBuffer, offset: int) -> None:
        self.codec = codec
        self.memory = memory
        self.offset = offset

    def __getitem__(self, index: int, /) -> T:
        return self.codec.unpack(self.memory, self.offset)

    def __setitem__(self, index: int, value: T, /) -> None:
        codec = self.codec
        data = codec.to_bytes(value)
        start = self.offset
        memoryview(self.memory).cast("B")[start : start + codec.size] = data


def _of(whose: str, error: Exception) -> Exception:
    """Return an error of :meth:`Codec.coerce` that says whose value it is."""
    text = str(error)
    space = "" if text.startswith("[") else " "  # "[3] must be": an element of it
    return type(error)(f"{whose}{space}{text}")


def checked(codec: Codec[T], value: T, whose: str) -> Any:
    """Return ``codec.coerce(value)``; errors say whose value it is."""
    try:
        return codec.coerce(value)
    except (TypeError, OverflowError, ValueError) as error:
        raise _of(whose, error) from None


def packed(codec: Codec[T], value: T, whose: str) -> bytes:
    """Return ``codec.pack(value)``; errors say whose value it is."""
    try:
        return codec.to_bytes(value)
    except (TypeError, OverflowError, ValueError) as error:
        raise _of(whose, error) from None


def wrong_type(text: str, value: object, hint: str = "") -> TypeError:
    """Return the error about a value that is not what ``text`` says."""
    return TypeError(f"must be {text}, got {type(value).__name__}{hint}")
