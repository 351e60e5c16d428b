"""Arrays: maps with all their elements from the start."""

from __future__ import annotations

import errno
import operator
from collections.abc import Iterator, Sequence

from skelgen._typing import TYPE_CHECKING, TypeVar, overload
from skelgen.arguments import FD, number
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.maps.base import ElementMap
from skelgen.runtime.maps.target import SupportsFd, SupportsFileno, fd_of
from skelgen.runtime.values.array import index_of
from skelgen.runtime.values.codec import U32, Codec

if TYPE_CHECKING:
    from typing import Final, SupportsIndex

    from skelgen.runtime.maps.handle import MapHandle

V = TypeVar("V")

_BAD: Final = (TypeError, ValueError, OverflowError)


class ArrayMap(ElementMap[int, V], Sequence[V]):
    """``BPF_MAP_TYPE_ARRAY``: a sequence of ``max_entries`` values.

    Elements cannot be deleted; they start as zeros. Values are copies, and read-only,
    structs and arrays in them too: change ``copy.deepcopy(m[index])`` and write that
    back. Index out of range raises IndexError.
    """

    __slots__ = ()
    family = "ArrayMap"

    def __init__(
        self, handle: MapHandle, *, value: Codec[V], key: Codec[int] = U32
    ) -> None:
        super().__init__(handle, key, value)

    def __len__(self) -> int:
        return self.max_entries

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> V: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[V]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> V | list[V]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        access = self._access
        if access is None:
            access = self._open()
        try:
            value = access.fetch(index)  # type: ignore[arg-type] # any integer
        except _BAD:
            value = None
        if value is None:  # before the beginning, past the end, or no integer
            value = access.fetch(self._place(index))
            if value is None:
                raise self._no(index)
        return value

    def __setitem__(self, index: SupportsIndex, value: V, /) -> None:
        access = self._access
        if access is None:
            access = self._open()
        place = self._place(index)
        try:
            access.store(place, value)
        except _BAD as error:
            raise self._refused(error, place, value) from None

    def put(self, index: int, value: V, *, flags: int = 0) -> None:
        """Write an element: ``BPF_MAP_UPDATE_ELEM``; ``flags``: ``BPF_F_LOCK``."""
        data = self._pack_value(value)
        key = self._pack_key(self._place(index))
        self._open().update(key, data, self._whole(flags))

    def lookup(self, index: int, *, flags: int = 0) -> V:
        """Return an element; ``flags``: ``BPF_F_LOCK``."""
        key = self._pack_key(self._place(index))
        value = self._open().get(key, self._value.unpack, self._whole(flags))
        if value is None:
            raise self._no(index)
        return value

    def index(self, value: object, start: int = 0, stop: int | None = None) -> int:
        """Return the first index of a value, or raise ValueError."""
        return index_of(list(self), value, start, stop)

    def __iter__(self) -> Iterator[V]:
        return self.each_value()

    def __contains__(self, value: object) -> bool:
        return any(value == item for item in self)

    def _place(self, index: SupportsIndex) -> int:
        """Return an index counted from the start, or raise."""
        try:
            place = operator.index(index)
        except TypeError:
            raise TypeError(
                f"{self._what()}: index must be int, got {type(index).__name__}"
            ) from None
        size = len(self)
        if not -size <= place < size:
            raise self._no(index)
        return place % size

    def _no(self, index: SupportsIndex) -> IndexError:
        return IndexError(f"{self._what()}: index {index} of {len(self)} entries")


class ProgArray(ElementMap[int, int]):
    """``BPF_MAP_TYPE_PROG_ARRAY``: the programs that ``bpf_tail_call`` jumps to.

    Slots are set to programs and read as kernel ids of programs.
    """

    __slots__ = ()
    family = "ProgArray"

    def __init__(
        self,
        handle: MapHandle,
        *,
        key: Codec[int] = U32,
        value: Codec[int] = U32,
    ) -> None:
        super().__init__(handle, key, value)

    def __len__(self) -> int:
        return self.max_entries

    def get(self, index: int) -> int | None:
        """Return the id of the program in a slot, None for an empty one."""
        try:
            return self._open().fetch(index)
        except _BAD as error:
            raise self._refused(error, index) from None

    def __setitem__(
        self, index: int, program: int | SupportsFd | SupportsFileno
    ) -> None:
        try:
            fd = fd_of(program)
        except TypeError as error:
            raise TypeError(f"{self.what}: program {error}") from None
        fd = number(fd, "program", (0, FD[1]), self.what)
        try:
            self._open().store(index, fd)
        except BpfOSError as error:
            raise self._better(error, index) from None
        except _BAD as error:
            raise self._refused(error, index) from None

    def __delitem__(self, index: int) -> None:
        try:
            there = self._open().remove(index)
        except BpfOSError as error:
            raise self._better(error, index) from None
        except _BAD as error:
            raise self._refused(error, index) from None
        if not there:
            raise KeyError(index)

    def items(self) -> Iterator[tuple[int, int]]:
        """Yield index and program id of the slots that are not empty."""
        for index in range(len(self)):
            program = self.get(index)
            if program is not None:
                yield index, program

    def _better(self, error: BpfOSError, index: int) -> Exception:
        if error.errno == errno.E2BIG:
            return IndexError(f"{self._what()}: index {index} of {len(self)} entries")
        if error.errno == errno.EINVAL:
            error.add_note(
                "the programs of a map have one type, and match the first in it"
            )
        return error
