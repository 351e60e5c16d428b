"""Global variables of a BPF object, as attributes of one class a data section."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar, overload
from skelgen.arguments import SIZE, checks_arguments, number
from skelgen.plain import plain
from skelgen.runtime.errors import BpfError
from skelgen.runtime.listing import Live, without_values
from skelgen.runtime.memory.section import Section
from skelgen.runtime.values.codec import checked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self, SupportsFloat, SupportsIndex

    from skelgen.runtime.values.array import Array, ArrayCodec
    from skelgen.runtime.values.codec import (
        BoolCodec,
        BytesCodec,
        Codec,
        FloatCodec,
        IntCodec,
        Slot,
    )
    from skelgen.runtime.values.struct import Struct, StructCodec, Union

    Bytes = bytes | bytearray | memoryview
    E = TypeVar("E")
    S = TypeVar("S", bound=Struct | Union)

T = TypeVar("T")
A = TypeVar("A", contravariant=True)  # noqa: PLC0105 (a letter, like the others)

__all__ = ("DataSection", "Global", "Section")


class DataSection(Live):
    """Base of the generated class of a data section; attributes are globals.

    Reading and writing act on the memory of the section: before load on what the
    object starts with, after load on what programs see. Structs, unions and arrays
    are views that stay valid, also after the object was destroyed. An integer is
    stored in one step; anything larger than 8 bytes is not.
    """

    __slots__ = ("__memory__", "__section__")

    def __init__(self, section: Section) -> None:
        self.__section__ = section
        self.__memory__ = section.slots

    @checks_arguments
    def resize(self, name: str, length: int) -> None:
        """Give the array that ends the section another number of elements.

        Before load: a program that loops up to a constant works on as many elements
        as user space wants. ``name`` is the global's; what is new is zero, the rest
        stays. ``len()`` of the global is the new length from then on, and a view of
        it from before is no longer it. Raises StateError after load, ValueError for
        a name that is no global or not the last of its section, TypeError for no
        array, OverflowError for a length below 1 or more than 2 GiB.
        """
        section = self.__section__
        found = _globals(type(self)).get(name)
        if found is None:
            raise ValueError(f"{section.what}: no global of the name '{plain(name)}'")
        tail = section.tail()
        if found.offset != tail.offset:
            where = plain(section.name)
            raise ValueError(
                f"global '{name}': '{tail.name}' comes behind it in '{where}', and"
                " the last one alone can be resized; give it a section of its own, e.g."
                f' SEC(".data.{name}")'
            )
        if number(length, "length", SIZE, section.what) < 1:
            raise OverflowError(f"global '{name}': 1 element or more, got {length}")
        section.resize(tail.size(length))

    def __dir__(self) -> list[str]:
        return sorted({*_globals(type(self)), "resize"})

    def __repr__(self) -> str:
        names = _globals(type(self))
        try:
            values = [f"{name}={getattr(self, name)!r}" for name in names]
        except BpfError as error:
            return without_values(self, error)
        return f"{type(self).__name__}({', '.join(values)})"


def _globals(section: type[DataSection]) -> dict[str, Global[Any, Any]]:
    """Return the globals of a generated class, in their order."""
    return {
        name: value
        for cls in reversed(section.__mro__)
        for name, value in vars(cls).items()
        if isinstance(value, Global)
    }


class Global(Generic[T, A]):
    """A global variable at an offset of its section: read as ``T``, assigned from ``A``.

    ``A`` is wider than ``T`` where ``T`` has literals: a type checker would otherwise
    believe that a variable set to 0 stays 0, whatever the kernel does to it.

    Reading raises ClosedError after destroy (StateError before load for
    ``.kconfig``); writing also StateError once the section is read-only,
    OverflowError out of range, TypeError of the wrong type, ValueError of the wrong
    length.
    """

    __slots__ = ("codec", "name", "offset")

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: Global[int, SupportsIndex], codec: IntCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Global[bool, SupportsIndex], codec: BoolCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Global[float, SupportsFloat], codec: FloatCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Global[bytes, Bytes], codec: BytesCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Global[S, S], codec: StructCodec[S], *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: Global[Array[E], Sequence[E]], codec: ArrayCodec[E], *, offset: int
        ) -> None: ...

    def __init__(self, codec: Codec[Any], *, offset: int) -> None:
        self.codec: Codec[Any] = codec
        """Its C type."""
        self.offset = offset
        """Bytes from the start of the section."""
        self.name = ""
        """Its name in C."""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, instance: DataSection, owner: type[object]) -> T: ...
    def __get__(self, instance: DataSection | None, owner: type[object]) -> T | Self:
        if instance is None:
            return self
        try:
            value: T = instance.__memory__[self][0]
        except KeyError:
            value = self._slot(instance, write=False)[0]
        return value

    def __set__(self, instance: DataSection, value: A) -> None:
        try:
            instance.__memory__[self][0] = value
        except (KeyError, TypeError, ValueError, OverflowError):
            # not in use yet, or refused by something that cannot say why
            slot = self._slot(instance, write=True)
            codec = self._codec(instance.__section__)
            checked(codec, value, f"global '{self.name}'")
            slot[0] = value
            instance.__section__.memory().push()

    def _codec(self, section: Section) -> Codec[Any]:
        """Return the codec; another one for an array that was resized."""
        changed = section.resized
        if changed is None or changed[0].offset != self.offset:
            return self.codec
        from skelgen.runtime.values.array import ArrayCodec, array
        from skelgen.runtime.values.codec import BytesCodec

        tail, length = changed
        codec = self.codec
        if isinstance(codec, BytesCodec):
            return BytesCodec(length * tail.element, cstring=codec.cstring)
        return array(codec.element, length) if isinstance(codec, ArrayCodec) else codec

    def _slot(self, instance: DataSection, *, write: bool) -> Slot[Any]:
        """Return the slot of this global, and keep it for the next time."""
        section = instance.__section__
        whose = f"global '{self.name}'"
        memory = section.writable(whose) if write else section.readable(whose)
        if write:
            memory.pull()
        slot = self._codec(section).live(memory, self.offset)
        if memory.frozen:
            slot = _Frozen(slot)
        if memory.live:
            section.slots[self] = slot
        return slot


class _Frozen:
    """A slot that is read only."""

    __slots__ = ("slot",)

    def __init__(self, slot: Slot[Any]) -> None:
        self.slot = slot

    def __getitem__(self, index: int, /) -> object:
        return self.slot[0]

    def __setitem__(self, index: int, value: object, /) -> None:
        raise TypeError  # Global says why
