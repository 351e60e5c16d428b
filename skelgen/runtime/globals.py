"""Global variables of a BPF object, as attributes of one class a data section."""

from typing import TYPE_CHECKING, Any, overload

from skelgen.runtime.codec import checked
from skelgen.runtime.member import A, T, Variable
from skelgen.runtime.section import Section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self, SupportsFloat, SupportsIndex

    from skelgen.runtime.array import Array, ArrayCodec
    from skelgen.runtime.codec import (
        BoolCodec,
        BytesCodec,
        Codec,
        FloatCodec,
        IntCodec,
        Slot,
    )
    from skelgen.runtime.member import Bytes, E, S
    from skelgen.runtime.struct import StructCodec

__all__ = ("DataSection", "Global", "Section")


class DataSection:
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

    def __repr__(self) -> str:
        names = [
            name
            for cls in reversed(type(self).__mro__)
            for name, value in vars(cls).items()
            if isinstance(value, Global)
        ]
        values = (f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({', '.join(values)})"


class Global(Variable[T, A]):
    """A global variable at an offset of its section.

    Reading raises ClosedError after destroy (StateError before load for
    ``.kconfig``); writing also StateError once the section is read-only,
    OverflowError out of range, TypeError of the wrong type, ValueError of the wrong
    length.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: "Global[int, SupportsIndex]", codec: IntCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: "Global[bool, SupportsIndex]", codec: BoolCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: "Global[float, SupportsFloat]", codec: FloatCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: "Global[bytes, Bytes]", codec: BytesCodec, *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: "Global[S, S]", codec: StructCodec[S], *, offset: int
        ) -> None: ...
        @overload
        def __init__(
            self: "Global[Array[E], Sequence[E]]", codec: ArrayCodec[E], *, offset: int
        ) -> None: ...
        def __init__(self, codec: Codec[Any], *, offset: int) -> None: ...

    @overload
    def __get__(self, instance: None, owner: type[object]) -> "Self": ...
    @overload
    def __get__(self, instance: DataSection, owner: type[object]) -> T: ...
    def __get__(self, instance: DataSection | None, owner: type[object]) -> "T | Self":
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
            checked(self.codec, value, f"global '{self.name}'")
            slot[0] = value
            instance.__section__.memory().push()

    def _slot(self, instance: DataSection, *, write: bool) -> "Slot[Any]":
        """Return the slot of this global, and keep it for the next time."""
        section = instance.__section__
        whose = f"global '{self.name}'"
        memory = section.writable(whose) if write else section.readable(whose)
        if write:
            memory.pull()
        slot = self.codec.live(memory, self.offset)
        if memory.frozen:
            slot = _Frozen(slot)
        if memory.fd < 0:
            section.slots[self] = slot
        return slot


class _Frozen:
    """A slot that is read only."""

    __slots__ = ("slot",)

    def __init__(self, slot: "Slot[Any]") -> None:
        self.slot = slot

    def __getitem__(self, index: int, /) -> object:
        return self.slot[0]

    def __setitem__(self, index: int, value: object, /) -> None:
        raise TypeError  # Global says why
