"""Structs and unions: classes of ctypes whose writes are checked.

A class gives its size, and each member its type and offset, as they are in C::

    class Event(rt.Struct, size=40):
        pid: int = rt.member(rt.U32, 0)
        mode: int = rt.bits(32, width=3)
        comm: bytes = rt.member(rt.CString(16), 8)
        counts: rt.Array[int] = rt.member(rt.array(rt.U32, 4), 24)

The generator writes so for each C type:

==========================  =============================  ======================
C                           codec                          annotation
==========================  =============================  ======================
integer, enum, one char     ``rt.U32``: by size and sign   ``int``
pointer, function pointer   ``rt.U64``                     ``int``
``_Bool``                   ``rt.BOOL``                    ``bool``
float, double               ``rt.F32``, ``rt.F64``         ``float``
``__int128``                ``rt.I128``, ``rt.U128``       ``int``
``char[n]``                 ``rt.CString(n)``              ``bytes``
``T[n]``, also of u8        ``rt.array(codec of T, n)``    ``rt.Array[T]``
``T[a][b]``                 an array of arrays             ``rt.Array[rt.Array[T],
                                                           Sequence[T]]``
struct, union               ``rt.struct(Cls)``             ``Cls``
anything else, n bytes      ``rt.Bytes(n)``                ``bytes``
bit-field                   ``rt.bits(...)``               ``int``
flexible array ``T x[]``    ``rt.flexible(codec, ...)``    ``tuple[T, ...]``
``char x[]``                ``rt.flexible_bytes(...)``     ``bytes``
==========================  =============================  ======================

* Members of an anonymous struct or union are members of the struct around it.
* A global or map value of an enumeration has another codec, ``rt.enum(Cls, rt.U32)``.
* No member may be called ``from_buffer``, ``from_buffer_copy``, ``from_address``,
  ``from_param`` or ``in_dll`` (ctypes finds them on the class), nor ``_x_``.
* To type checkers a class is a dataclass: they know the arguments of its constructor.
"""

# ruff: noqa: ANN401 (members have any type)

from __future__ import annotations

import ctypes

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar, dataclass_transform
from skelgen.arguments import must_derive
from skelgen.runtime.process.forks import Lock
from skelgen.runtime.values import layout
from skelgen.runtime.values.array import LiveSlot, begin
from skelgen.runtime.values.codec import Codec, Copied, Slot, checked
from skelgen.runtime.values.member import Descriptor, flexible, flexible_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Final, Self

    from _typeshed import ReadableBuffer, WriteableBuffer


def _no_member(cls: type[Any], name: str) -> str:
    """Return what to say of a name that no member has."""
    from skelgen.near_names import or_near

    return or_near(f"{cls.__name__} has no member '{name}'", name, cls.__members__)


class Checked:
    """The part that structs and unions share; stands before the class of ctypes."""

    __slots__ = ()
    __members__: ClassVar[dict[str, Codec[Any] | None]] = {}
    """Members in their order; without a codec those that check what they are given."""

    if TYPE_CHECKING:

        @classmethod
        def from_buffer_copy(cls, source: ReadableBuffer, offset: int = 0) -> Self:
            """Return a copy of memory."""
            raise NotImplementedError

        def __bytes__(self) -> bytes: ...

    def __init__(self, /, **members: Any) -> None:
        super().__init__()
        for name, value in members.items():
            if name not in self.__members__:
                raise TypeError(_no_member(type(self), name))
            if value is not None and value != ():
                setattr(self, name, value)

    if not TYPE_CHECKING:  # one that has it has every member, for a type checker

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            try:
                codec = cls.__members__[name]
            except KeyError:
                raise AttributeError(_no_member(cls, name)) from None
            if codec is not None:
                value = checked(codec, value, f"{cls.__name__}.{name}")
            owner = begin(self)
            super().__setattr__(name, value)
            if owner is not None:
                owner.push()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        if _is_key(self) or _is_key(other):
            return bytes(self) == bytes(other)
        return all(
            getattr(self, name) == getattr(other, name) for name in self.__members__
        )

    def __hash__(self) -> int:
        return hash(tuple(_hashable(getattr(self, name)) for name in self.__members__))

    def __dir__(self) -> list[str]:
        return sorted(self.__members__)

    def __repr__(self) -> str:
        members = (f"{name}={getattr(self, name)!r}" for name in self.__members__)
        return f"{type(self).__name__}({', '.join(members)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_buffer_copy, (bytes(self),)


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(flexible, flexible_bytes),
)
class Struct(Checked, layout.Structure, metaclass=layout.StructMeta):
    """A C struct; generated classes declare its members.

    A view of a global, or a copy of its own. Writes are checked: OverflowError out of
    range, TypeError of the wrong type, StateError into a section that is read-only.
    What was read from a map is read-only in depth (TypeError), as writing to it would
    change no map: ``copy.deepcopy(value)`` may be changed, and written back. A record
    of a ring buffer belongs to its reader.

    Equal to another of its class whose members are equal, whatever is in the padding.
    The hash is that of the members, so do not change one that is the key of a dict.
    Only what was read from a map as a key is equal if all of its bytes are, as the
    kernel has it: two elements whose keys differ in padding are two. ``bytes()`` is its
    memory.
    """

    __slots__ = ("__owner__",)  # a dict for each value would take longer than its copy

    if TYPE_CHECKING:

        def __init__(self, **members: Any) -> None: ...


def _is_key(value: Any) -> bool:
    """Whether a struct was read from a map, as the key of an element."""
    owner = getattr(value, "__owner__", None)
    return isinstance(owner, Copied) and owner.key


def _hashable(value: Any) -> Any:
    if isinstance(value, ctypes.Array):
        return tuple(_hashable(item) for item in value)
    return value


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(flexible, flexible_bytes),
)
class Union(Checked, layout.Union, metaclass=layout.UnionMeta):
    """A C union: like :class:`Struct`, but equal only if all of its memory is."""

    __slots__ = ("__owner__",)

    if TYPE_CHECKING:

        def __init__(self, **members: Any) -> None: ...

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))


S = TypeVar("S", bound=Struct | Union)

_set: Final = object.__setattr__


class StructCodec(Codec[S], Generic[S]):
    """A struct or union of a generated class."""

    __slots__ = ("_owner",)

    def __init__(self, cls: type[S], owner: Copied | None = None) -> None:
        super().__init__(cls.__name__, ctypes.sizeof(cls), cls)
        self._owner = owner

    def out_of(self, owner: Copied) -> StructCodec[S]:
        """See :meth:`Codec.out_of`."""
        return StructCodec(self.ctype, owner)

    def coerce(self, value: S) -> S:
        """See :meth:`Codec.coerce`."""
        if isinstance(value, self.ctype):
            return value
        raise TypeError(f"must be {self.text}, got {type(value).__name__}")

    def to_bytes(self, value: S) -> bytes:
        """See :meth:`Codec.to_bytes`."""
        return bytes(self.coerce(value))

    def unpack(self, buffer: ReadableBuffer, offset: int = 0) -> S:
        """Return the value at an offset of a buffer."""
        value: S = self.ctype.from_buffer_copy(buffer, offset)
        if self._owner is not None:
            _set(value, "__owner__", self._owner)
        return value

    def unpack_all(self, buffer: ReadableBuffer, count: int) -> list[S]:
        """Return the first ``count`` values of a buffer."""
        read, size, owner = self.ctype.from_buffer_copy, self.size, self._owner
        values: list[S] = [read(buffer, i * size) for i in range(count)]
        if owner is not None:
            for value in values:
                _set(value, "__owner__", owner)
        return values

    def live(self, memory: WriteableBuffer, offset: int = 0) -> Slot[Any]:
        """Return a slot over the memory; what is read from it is a view."""
        return LiveSlot(self, memory, offset)

    def _tail(self) -> int | None:
        """Return the offset of a flexible array, if there is one."""
        mro: tuple[type[object], ...] = self.ctype.__mro__
        for cls in mro:
            for value in vars(cls).values():
                if isinstance(value, Descriptor) and value.flexible:
                    return value.offset
        return None

    @property
    def least(self) -> int:
        """Bytes that a record has to have: up to a flexible array."""
        tail = self._tail()
        return self.size if tail is None else tail

    def reader(self) -> Callable[[ReadableBuffer, int], S]:
        """Return ctypes' own copying, which is all C."""
        read: Callable[[ReadableBuffer, int], S] = self.ctype.from_buffer_copy
        return read

    def sized_reader(self) -> Callable[[bytes, int, int], S] | None:
        """Return what fills a flexible array, if there is one."""
        tail = self._tail()
        if tail is None:
            return None
        cls, whole = self.ctype, self.size

        def read(buffer: bytes, offset: int, size: int) -> S:
            record = buffer[offset : offset + size]
            # padding behind the array's start counts as part of sizeof in C
            value: S = cls.from_buffer_copy(record.ljust(whole, b"\0"))
            object.__setattr__(value, "__tail__", record[tail:])
            return value

        return read


_making: Final = Lock()


def struct(cls: type[S]) -> StructCodec[S]:
    """Return the codec of a struct or union: one and the same for each class."""
    must_derive(Checked, cls, "cls", "a class of a struct or union")
    found: StructCodec[S] | None = cls.__dict__.get("__codec__")
    if found is not None:
        return found
    with _making:
        codec: StructCodec[S] = cls.__dict__.get("__codec__") or StructCodec(cls)
        setattr(cls, "__codec__", codec)  # noqa: B010 (no annotation for all)
    return codec
