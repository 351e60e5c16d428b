"""Structs and unions: ctypes structures whose writes are checked.

What the generator writes for a C type. *Member* is the entry in ``_fields_``,
*annotation* the type that a type checker sees, *codec* what stands in
``rt.Global``, ``rt.HashMap`` and the like.

=========================  ======================  ================  ================
C                          member                  annotation        codec
=========================  ======================  ================  ================
1, 2, 4, 8 byte integer,   ``ctypes.c_uint32``     ``int``           ``rt.U32``
enum, enum64, one char     (``c_int8`` ... by
                           size and sign)
pointer, function pointer  ``ctypes.c_uint64``     ``int``           ``rt.U64``
``_Bool``                  ``ctypes.c_bool``       ``bool``          ``rt.BOOL``
float, double              ``ctypes.c_float``,     ``float``         ``rt.F32``,
                           ``ctypes.c_double``                       ``rt.F64``
``char[n]``                ``ctypes.c_char * n``   ``bytes``         ``rt.CString(n)``
``T[n]``, also of u8       ``rt.array_type(        ``rt.Array[P]``   ``rt.array(
                           ctype of T, n)``                          codec of T, n)``
struct, union              its class               its class         ``rt.struct(Cls)``
``T[a][b]``                array_type of an        ``rt.Array[       array of an array
                           array_type              rt.Array[P]]``
``__int128``               hidden, see below       (descriptor)      ``rt.I128``, U128
bit-field                  hidden, see below       (descriptor)      none
flexible array ``T x[]``   none, see below         (descriptor)      none
anything else, n bytes     hidden, see below       (descriptor)      ``rt.Bytes(n)``
=========================  ======================  ================  ================

* *Hidden* members are storage and padding. Their name is their byte range, which
  no C name can be: ``("4:8", ctypes.c_uint8 * 4)``. Every gap and the tail get one;
  they show up nowhere.
* What ctypes cannot express is a descriptor behind ``_fields_``, over hidden storage,
  at its offset in bytes or bits from the start of the struct::

    big = rt.Member(rt.U128, offset=16)
    mode = rt.BitField(bit_offset=35, width=3)             # as in BTF
    delta = rt.BitField(bit_offset=38, width=5, signed=True)
    data = rt.Flexible(rt.U32, offset=40)                  # __u32 data[]
    text = rt.FlexibleBytes(offset=40)                     # char text[]

  ``Member`` takes any codec at any offset; it is also the way out for a member
  that ctypes would align elsewhere.
* A packed struct, or one whose members ctypes would move, has ``_pack_ = 1`` and
  ``_layout_ = "ms"`` (which Python 3.14 wants beside it) before ``_fields_``.
* An anonymous struct or union is a class of its own, a member with a hidden name
  (``("8:16", EventAnon0)``) and that name in ``_anonymous_``, set before ``_fields_``:
  ctypes then shows its members as the outer struct's; annotate them there. Descriptors
  are not shown that way: repeat them in the outer struct, with its offsets.
* No member may be called ``from_buffer``, ``from_buffer_copy``, ``from_address``,
  ``from_param`` or ``in_dll`` (ctypes finds them on the class), nor ``_x_``.
* ``rt.check_layout(Cls, size=, offsets=)`` after the class: offsets of the entries of
  ``_fields_`` that are not hidden, in their order.
* For constructors that are checked, an ``__init__`` under ``TYPE_CHECKING``::

    if TYPE_CHECKING:
        def __init__(self, *, pid: int = 0, comm: bytes = b"", ...) -> None: ...

  with ``Sequence[P]`` for arrays (``= ()``: zeros) and ``Cls | None = None`` for
  structs. At run time :class:`Struct` takes what is named and leaves the rest zero.
"""

# ruff: noqa: ANN401 (members have any type)

from __future__ import annotations

import ctypes

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar
from skelgen.arguments import must_derive, wrong
from skelgen.runtime.process.forks import Lock
from skelgen.runtime.values.array import LiveSlot, begin, codec_of
from skelgen.runtime.values.codec import Codec, Copied, Slot, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, ClassVar, Final, Self

    from _typeshed import ReadableBuffer, WriteableBuffer


if TYPE_CHECKING:
    # ctypes' classes have a __getattr__ for type checkers, to which a misspelt member
    # then is no error; their base has none
    from _ctypes import _CData  # pyright: ignore[reportPrivateUsage]

    class _Memory(_CData):  # pyright: ignore[reportGeneralTypeIssues]
        _fields_: ClassVar[Sequence[tuple[str, Any]]]
        _anonymous_: ClassVar[Sequence[str]]
        _pack_: ClassVar[int]
        _layout_: ClassVar[str]

        @classmethod
        def from_buffer(cls, source: WriteableBuffer, offset: int = 0) -> Self: ...
        @classmethod
        def from_buffer_copy(cls, source: ReadableBuffer, offset: int = 0) -> Self: ...
        def __bytes__(self) -> bytes: ...

    class _Structure(_Memory): ...

    class _Union(_Memory): ...

else:
    _Structure, _Union = ctypes.Structure, ctypes.Union


class Descriptor:
    """A member that ctypes does not know; kept apart for :func:`_members`."""

    __slots__ = ()
    flexible = False
    """Whether it is an array without end, behind the struct's own bytes."""
    offset: int
    """Bytes from the start of the struct."""


def _names(cls: type[Any]) -> Iterator[tuple[int, str, Codec[Any] | None]]:
    """Yield offset, name and codec (None for descriptors) of every member."""
    anonymous = getattr(cls, "_anonymous_", ())
    for name, ctype, *_ in cls._fields_:
        start = getattr(cls, name).offset
        if name in anonymous:
            for offset, inner, codec in _names(ctype):
                if codec is not None:
                    yield start + offset, inner, codec
        elif name.isidentifier():
            yield start, name, codec_of(ctype)
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, Descriptor):
                yield value.offset, name, None


_making: Final = Lock()


def _members(cls: type[Any]) -> dict[str, Codec[Any] | None]:
    """Return the members of a struct in their order, computed once a class."""
    members: dict[str, Codec[Any] | None] | None = cls.__dict__.get("__members__")
    if members is None:
        found = sorted(_names(cls), key=lambda member: member[0])
        members = {name: codec for _, name, codec in found}
        cls.__members__ = members  # equal, where two threads do it at once
    return members


def _no_member(cls: type[Any], name: str) -> str:
    """Return what to say of a name that no member has."""
    from skelgen.near_names import or_near

    return or_near(f"{cls.__name__} has no member '{name}'", name, _members(cls))


class _Checked:
    """What structs and unions share; stands before ctypes' class."""

    __slots__ = ()

    def __init__(self, /, **members: Any) -> None:
        super().__init__()
        for name, value in members.items():
            if name not in _members(type(self)):
                raise TypeError(_no_member(type(self), name))
            if value is not None and value != ():
                setattr(self, name, value)

    if not TYPE_CHECKING:  # one that has it has every member, for a type checker

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            try:
                codec = _members(cls)[name]
            except KeyError:
                raise AttributeError(_no_member(cls, name)) from None
            if codec is not None:  # else the descriptor checks
                value = checked(codec, value, f"{cls.__name__}.{name}")
            owner = begin(self)
            super().__setattr__(name, value)
            if owner is not None:
                owner.push()

    def __dir__(self) -> list[str]:
        return sorted(_members(type(self)))

    def __repr__(self) -> str:
        members = (f"{name}={getattr(self, name)!r}" for name in _members(type(self)))
        return f"{type(self).__name__}({', '.join(members)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_buffer_copy, (bytes(self),)  # type: ignore[attr-defined, call-overload] # ctypes'

    @classmethod
    def __make_codec__(cls) -> StructCodec[Any]:
        codec: StructCodec[Any] | None = cls.__dict__.get("__codec__")
        if codec is not None:
            return codec
        with _making:
            made: StructCodec[Any] = StructCodec(cls)
            made = cls.__dict__.get("__codec__") or made  # another thread's
            setattr(cls, "__codec__", made)  # noqa: B010 (no annotation for all)
        return made


class Struct(_Checked, _Structure):
    """A C struct; generated classes list its members in ``_fields_``.

    A view of a global, or a copy of its own. Writes are checked: OverflowError out of
    range, TypeError of the wrong type, StateError into a section that is read-only.
    What was read from a map is read-only in depth (TypeError), as writing to it would
    change no map: ``copy.deepcopy(value)`` may be changed, and written back. A record
    of a ring buffer belongs to its reader.

    Equal to another of its class whose members are equal, whatever is in the padding;
    hashed likewise, so do not change one that is the key of a dict. Only what was read
    from a map as a key is equal if all of its bytes are, as the kernel has it: two
    elements whose keys differ in padding are two. ``bytes()`` is its memory.
    """

    __slots__ = ("__owner__",)  # a dict for each value would take longer than its copy

    if TYPE_CHECKING:

        def __init__(self, **members: Any) -> None: ...

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        if _is_key(self) or _is_key(other):
            return bytes(self) == bytes(other)
        return all(
            getattr(self, name) == getattr(other, name) for name in _members(type(self))
        )

    def __hash__(self) -> int:
        members = _members(type(self))
        return hash(tuple(_hashable(getattr(self, name)) for name in members))


def _is_key(value: Any) -> bool:
    """Whether a struct was read from a map, as the key of an element."""
    owner = getattr(value, "__owner__", None)
    return isinstance(owner, Copied) and owner.key


def _hashable(value: Any) -> Any:
    if isinstance(value, ctypes.Array):
        return tuple(_hashable(item) for item in value)
    return value


class Union(_Checked, _Union):
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


def struct(cls: type[S]) -> StructCodec[S]:
    """Return the codec of a struct or union."""
    must_derive(_Checked, cls, "cls", "a class of a struct or union")
    return cls.__make_codec__()


def check_layout(
    cls: type[Struct | Union], *, size: int, offsets: tuple[int, ...]
) -> None:
    """Compare a class with the layout that BTF gave when it was generated.

    ``offsets`` are those of the entries of ``_fields_`` that are not hidden. Raises
    TypeError: this Python lays the struct out in another way, so its values would be
    wrong.
    """
    described: Any = cls
    must_derive(_Checked, cls, "cls", "a class of a struct or union")
    if not hasattr(cls, "_fields_"):
        raise wrong("cls", "a class with members", cls)
    names = [name for name, *_ in described._fields_ if name.isidentifier()]
    found = tuple(getattr(cls, name).offset for name in names)
    if found != offsets or ctypes.sizeof(cls) != size:
        raise TypeError(
            f"{cls.__name__}: laid out as {ctypes.sizeof(cls)} bytes, members at "
            f"{found}; C has {size} bytes, members at {offsets}"
        )
