"""Elements of a map as Python values: what the families call all the time."""

from __future__ import annotations

from ctypes import get_errno

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar
from skelgen.model.enums import Command
from skelgen.runtime.syscalls.map_access import Buffers, MapAccess

if TYPE_CHECKING:
    from skelgen.runtime.values.codec import Codec, Slot

K = TypeVar("K")
V = TypeVar("V")


class _TypedBuffers(Buffers, Generic[K, V]):
    """Buffers of a call, with slots over key and value."""

    __slots__ = ("typed_key", "typed_value")

    typed_key: Slot[K]
    typed_value: Slot[V]


class TypedAccess(MapAccess, Generic[K, V]):
    """A map access that takes and gives Python values.

    A value that its codec refuses raises TypeError, OverflowError or ValueError of
    any text: the caller asks the codec for a better one.
    """

    __slots__ = ("_key", "_value")

    def __init__(
        self, fd: int, key: Codec[K], value: Codec[V], *, what: str = ""
    ) -> None:
        self._key = key
        self._value = value
        super().__init__(fd, key.size, value.size, what=what)

    def _more(self) -> _TypedBuffers[K, V]:
        buffers = _TypedBuffers[K, V](self._fd, self.key_size, self.value_size)
        buffers.typed_key = self._key.slot(buffers.key)
        buffers.typed_value = self._value.slot(buffers.value)
        self._all.append(buffers)
        return buffers

    if TYPE_CHECKING:  # _more makes all that there are

        def _buffers(self) -> _TypedBuffers[K, V]: ...

    def fetch(self, key: K) -> V | None:
        """Return the value of an element, None when there is none."""
        buffers = self._buffers()
        try:
            buffers.typed_key[0] = key
            if self._call(*buffers.lookup) < 0:
                self._missed(Command.MAP_LOOKUP_ELEM)
                return None
            return buffers.typed_value[0]
        finally:
            self._free.append(buffers)

    def store(self, key: K, value: V) -> None:
        """Write an element, new or not."""
        buffers = self._buffers()
        try:
            buffers.typed_key[0] = key
            buffers.typed_value[0] = value
            if self._call(*buffers.update) < 0:
                raise self._failure(Command.MAP_UPDATE_ELEM, get_errno())
        finally:
            self._free.append(buffers)

    def remove(self, key: K) -> bool:
        """Delete an element; False when there is none."""
        buffers = self._buffers()
        try:
            buffers.typed_key[0] = key
            if self._call(*buffers.delete) < 0:
                return self._missed(Command.MAP_DELETE_ELEM)
            return True
        finally:
            self._free.append(buffers)
