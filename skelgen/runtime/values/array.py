"""Arrays: ctypes arrays whose writes are checked.

An array is a view (of a global, of a member of a struct) or holds a copy (of a map
value); both are an :class:`Array`. Reading costs what ctypes costs; writing goes
through the codec of the element.
"""

from __future__ import annotations

# ruff: noqa: ANN401 (types of ctypes have no common name)
import ctypes
from collections.abc import Iterable, Iterator, Sequence

from skelgen._typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast, overload
from skelgen.arguments import SIZE, must_be, number, shown
from skelgen.runtime.errors import StateError
from skelgen.runtime.process.once import one_each
from skelgen.runtime.values.codec import Codec, Copied, Slot, checked

if TYPE_CHECKING:
    from typing import Any, Self, SupportsIndex

    import typing_extensions
    from _typeshed import ReadableBuffer, WriteableBuffer

E = TypeVar("E")
if TYPE_CHECKING:
    A = typing_extensions.TypeVar("A", default=E)
else:
    A = TypeVar("A")


class Owner(Protocol):
    """Memory that views point into: a data section, a struct_ops variable."""

    @property
    def frozen(self) -> bool:
        """Whether writing is over."""
        ...

    @property
    def what(self) -> str:
        """How errors call it."""
        ...

    def pull(self) -> None:
        """Bring the memory up to date before a view changes part of it."""

    def push(self) -> None:
        """Hand the changed memory on to the kernel."""


def owner_of(view: Any) -> Owner | Copied | None:
    """Return the memory that a ctypes object points into, if it is an object's.

    Nested structs and arrays know the object they were read from; the outermost
    knows its section or variable, or what it was copied out of.
    """
    while (base := view._b_base_) is not None:
        view = base
    owner: Owner | Copied | None = getattr(view, "__owner__", None)
    return owner


def begin(view: Any) -> Owner | None:
    """Refuse a write into frozen memory; return the memory to be told after."""
    owner = owner_of(view)
    if owner is not None:
        if isinstance(owner, Copied):
            raise owner.error()
        if owner.frozen:
            raise StateError(
                f"{owner.what}: read-only; assign before load() or prepare()"
            )
        owner.pull()
    return owner


def index_of(items: Sequence[Any], value: Any, start: int, stop: int | None) -> int:
    """Return the first index of a value among items, or raise ValueError."""
    ends = (-1 << 63, (1 << 63) - 1)
    begin_at = number(start, "start", ends)
    end_at = len(items) if stop is None else number(stop, "stop", ends)
    for index in range(*slice(begin_at, end_at).indices(len(items))):
        if items[index] == value:
            return index
    raise ValueError(f"value {shown(value)} is not there")


def _element(codec: Codec[Any], value: Any, index: int) -> Any:
    """Return a checked value as an element of a ctypes array."""
    value = checked(codec, value, f"[{shown(index)}]")
    if type(value) is bytes:  # right for a member, but an element must be an array
        return codec.ctype.from_buffer_copy(value)
    return value


if TYPE_CHECKING:
    # to a type checker an array is a sequence; in truth ctypes' metaclass rules that out
    class _Base(Sequence[E], Generic[E, A]): ...

else:
    _Base = Generic


class Array(_Base[E, A]):
    """An array in C: a sequence of fixed length that can be written.

    Slices and whole arrays are assigned from sequences of the same length
    (``a[:] = [1, 2, 3]``); ``bytes(a)`` is its memory. One that was read from a map is
    read-only, as its elements are (TypeError); ``copy.deepcopy(a)`` is not.

    As a member of a struct it is read as an ``Array[E]`` and assigned from a sequence
    of ``A``, which is ``E`` but in an array of arrays: there it is a sequence, too.
    """

    __slots__ = ()
    _codec_: Codec[Any]
    _boxed_: bool

    if TYPE_CHECKING:

        def __get__(self, struct: object, cls: object = None, /) -> Array[E]: ...
        def __set__(self, struct: object, value: Sequence[A], /) -> None: ...
        @overload
        def __getitem__(self, index: SupportsIndex, /) -> E: ...
        @overload
        def __getitem__(self, index: slice, /) -> list[E]: ...
        def __getitem__(self, index: SupportsIndex | slice, /) -> E | list[E]: ...
        def __len__(self) -> int: ...
        def __bytes__(self) -> bytes: ...
        def __buffer__(self, flags: int, /) -> memoryview: ...
    @overload
    def __setitem__(self, index: SupportsIndex, value: E, /) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[E], /) -> None: ...
    def __setitem__(self, index: Any, value: Any, /) -> None:
        codec = self._codec_
        if isinstance(index, slice):
            items = [_element(codec, item, i) for i, item in enumerate(value)]
            room = len(range(*index.indices(len(self))))
            if len(items) != room:
                raise ValueError(f"must be {room} elements, got {len(items)}")
            value = items
        else:
            value = _element(codec, value, index)
        owner = begin(self)
        super().__setitem__(index, value)  # type: ignore[misc] # ctypes.Array's
        if owner is not None:
            owner.push()

    def __iter__(self) -> Iterator[E]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        items: Any = other
        if isinstance(items, (Array, list, tuple)):
            return self[:] == list(cast("Iterable[Any]", items))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment] # as of every mutable sequence

    def __dir__(self) -> list[str]:
        return ["count", "index"]

    def __repr__(self) -> str:
        return repr(self[:])

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the first index of a value, or raise ValueError."""
        return index_of(self[:], value, start, stop)

    def count(self, value: Any) -> int:
        """Return how often a value occurs."""
        return self[:].count(value)

    def __copy__(self) -> Self:
        same: Self = cast("Any", type(self)).from_buffer_copy(self)
        return same

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self[:],)  # the type is made at run time: pickled as a list


class _Boxed:
    """The methods of an array whose elements ctypes would not read as Python values."""

    __slots__ = ()
    _codec_: Codec[Any]

    if TYPE_CHECKING:

        def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        element = cast("Any", super()).__getitem__(index)  # ctypes.Array's
        return self._codec_.unpack(element)


class ArrayCodec(Codec[Sequence[E]]):
    """An array: any sequence of its length is accepted, an :class:`Array` read."""

    __slots__ = ("_owner", "element", "length")

    def __init__(
        self, element: Codec[Any], length: int, owner: Copied | None = None
    ) -> None:
        self._owner = owner
        ctype = _array_type(element, length)
        super().__init__(
            f"a sequence of {length} elements", ctypes.sizeof(ctype), ctype
        )
        self.element = element
        self.length = length

    def coerce(self, value: Sequence[E]) -> Any:
        """See :meth:`Codec.coerce`."""
        ctype = self.ctype
        if isinstance(value, ctype):
            return value
        if isinstance(value, str) or not hasattr(value, "__len__"):
            raise TypeError(f"must be {self.text}, got {type(value).__name__}")
        if len(value) != self.length:
            raise ValueError(f"must be {self.text}, got {len(value)}")
        array = ctype()
        array[:] = value
        return array

    def to_bytes(self, value: Sequence[E]) -> bytes:
        """See :meth:`Codec.to_bytes`."""
        return bytes(self.coerce(value))

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> Sequence[E]:
        """Return the value at an offset of a buffer."""
        array: Sequence[E] = self.ctype.from_buffer_copy(buffer, offset)
        if self._owner is not None:
            object.__setattr__(array, "__owner__", self._owner)
        return array

    def out_of(self, owner: Copied) -> ArrayCodec[E]:
        """See :meth:`Codec.out_of`."""
        return ArrayCodec(self.element, self.length, owner)

    def live(self, memory: WriteableBuffer, offset: int = 0) -> Slot[Any]:
        """Return a slot over the memory; what is read from it is a view."""
        return LiveSlot(self, memory, offset)


class LiveSlot:
    """A slot whose value is a view: a struct, union or array of a global."""

    __slots__ = ("codec", "view")

    def __init__(self, codec: Codec[Any], memory: WriteableBuffer, offset: int) -> None:
        self.codec = codec
        self.view = codec.ctype.from_buffer(memory, offset)
        object.__setattr__(self.view, "__owner__", memory)

    def __getitem__(self, index: int, /) -> Any:
        return self.view

    def __setitem__(self, index: int, value: Any, /) -> None:
        value = self.codec.coerce(value)
        owner = begin(self.view)
        ctypes.memmove(
            ctypes.addressof(self.view), ctypes.addressof(value), self.codec.size
        )
        if owner is not None:
            owner.push()


@one_each
def _array_codec(element: Codec[Any], length: int) -> ArrayCodec[Any]:
    return ArrayCodec(element, length)


@one_each
def _array_type(element: Codec[Any], length: int) -> Any:
    """Return the ctypes array type of ``length`` elements of a codec."""
    ctype = element.ctype
    # c_char arrays and 128-bit integers come out of ctypes as raw arrays
    boxed = issubclass(ctype, ctypes.Array) and not issubclass(ctype, Array)
    bases = (Array, ctypes.Array)
    metaclass: Any = type(ctypes.Array)
    return metaclass(
        f"{ctype.__name__}_{length}",
        (_Boxed, *bases) if boxed else bases,
        {
            "_type_": ctype,
            "_length_": length,
            "_codec_": element,
            "__module__": __name__,
        },
    )


@overload
def array(codec: ArrayCodec[E], length: int) -> ArrayCodec[Array[E]]: ...
@overload
def array(codec: Codec[E], length: int) -> ArrayCodec[E]: ...
def array(codec: Codec[Any], length: int) -> ArrayCodec[Any]:
    """Return the codec of an array of ``length`` elements."""
    must_be(Codec, codec, "codec", "a codec, like rt.U32")
    return _array_codec(codec, number(length, "length", SIZE))
