"""Arenas as maps: memory under the addresses that programs store in it."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.arguments import checks_arguments
from skelgen.runtime.errors import StateError
from skelgen.runtime.maps.base import Map

if TYPE_CHECKING:
    from typing import Any

    from _typeshed import ReadableBuffer

    from skelgen.runtime.memory.arena import Arena
    from skelgen.runtime.values.codec import Codec

T = TypeVar("T")


class ArenaMap(Map):
    """An arena, ``BPF_MAP_TYPE_ARENA``: Linux 6.9.

    A pointer that a program stores (``struct item __arena *``) is an ``int`` here, and
    the same address in every process; its variables are ``skel.arena``. Touching a page
    that no program allocated allocates it. Raises StateError before load, ValueError
    for NULL, and IndexError for addresses outside.
    """

    __slots__ = ()
    family = "ArenaMap"

    @property
    def address(self) -> int:
        """Where it begins."""
        return self._arena().address

    @property
    def size(self) -> int:
        """Bytes: ``max_entries`` pages."""
        return self._arena().size

    @checks_arguments
    def read(self, address: int, size: int) -> bytes:
        """Return bytes at an address, as a copy."""
        return bytes(self._memory(address, size))

    @checks_arguments
    def write(self, address: int, data: ReadableBuffer) -> None:
        """Write bytes at an address."""
        data = bytes(data)
        self._memory(address, len(data))[:] = data

    @checks_arguments
    def at(self, address: int, codec: Codec[T]) -> T:
        """Return what a pointer points to: ``arena.at(item.next, rt.struct(Item))``.

        A struct or array is a view of the memory, which keeps it mapped.
        """
        found: T = codec.live(self._memory(address, codec.size))[0]
        return found

    def _memory(self, address: int, size: int) -> Any:  # noqa: ANN401 (ctypes)
        arena = self._arena()
        return arena.memory(arena.offset(address, size), size, arena.what)

    def _arena(self) -> Arena:
        self._handle.fd()  # or say why it is not there
        arena = self._handle.arena
        if arena is None:
            raise StateError(
                f"{self.handle.what}: not mapped: it was there before, at an address"
                " that its definition does not say, or has BPF_F_SEGV_ON_FAULT"
            )
        return arena
