"""Hash maps, as mappings."""

from __future__ import annotations

import errno
from collections.abc import (
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    ValuesView,
)

from skelgen._typing import TYPE_CHECKING, TypeVar, cast, overload
from skelgen.arguments import sequence, wrong
from skelgen.runtime import syscalls
from skelgen.runtime.errors import ENOTSUPP, BpfOSError
from skelgen.runtime.maps.base import ElementMap

if TYPE_CHECKING:
    from typing import Any, Final

    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.values.codec import Codec

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

_BAD: Final = (TypeError, ValueError, OverflowError)
_NO_TAKE: Final = {ENOTSUPP, errno.EINVAL, errno.EOPNOTSUPP}


class HashMap(ElementMap[K, V], MutableMapping[K, V]):
    """``BPF_MAP_TYPE_HASH`` and ``LRU_HASH``: a mutable mapping.

    One system call an access; iterating takes batches (Linux 5.6), which makes it
    safe against elements that come and go meanwhile: each key comes at most once.
    Keys that do not fit raise TypeError or OverflowError, a map without room
    :class:`MapFullError`.

    Values are copies, and read-only, structs and arrays in them too: change
    ``copy.deepcopy(m[key])`` and write that back. ``dict(m.items())`` copies the map:
    every element, for what tells keys apart here is what does so in the kernel, bytes
    of padding included.
    """

    __slots__ = ()
    family = "HashMap"

    def __init__(self, handle: MapHandle, *, key: Codec[K], value: Codec[V]) -> None:
        super().__init__(handle, key, value)

    # -- one element -----------------------------------------------------------

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V, /) -> V: ...
    @overload
    def get(self, key: K, default: D, /) -> V | D: ...
    def get(self, key: K, default: Any = None, /) -> Any:
        """Return the value of a key, or ``default``: ``BPF_MAP_LOOKUP_ELEM``."""
        access = self._access
        if access is None:
            access = self._open()
        try:
            value = access.fetch(key)
        except _BAD as error:
            raise self._refused(error, key) from None
        return default if value is None else value

    def lookup(self, key: K, *, flags: int = 0) -> V | None:
        """Return the value of a key or None; ``flags``: ``BPF_F_LOCK``."""
        return self._open().get(
            self._pack_key(key), self._value.unpack, self._whole(flags)
        )

    def __getitem__(self, key: K) -> V:
        value = self.get(key)
        if value is None:
            raise self._missing(key)
        return value

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None  # type: ignore[arg-type] # the codec refuses what is no key

    def __setitem__(self, key: K, value: V) -> None:
        access = self._access
        if access is None:
            access = self._open()
        try:
            access.store(key, value)
        except _BAD as error:
            raise self._refused(error, key, value) from None
        except BpfOSError as error:
            raise self._full(error) from None

    def put(self, key: K, value: V, *, flags: int = 0) -> None:
        """Write an element: ``BPF_MAP_UPDATE_ELEM``.

        ``flags``: ``BPF_NOEXIST`` (FileExistsError when it is there), ``BPF_EXIST``
        (FileNotFoundError when it is not), ``BPF_F_LOCK``.
        """
        data = self._pack_value(value)
        try:
            self._open().update(self._pack_key(key), data, self._whole(flags))
        except BpfOSError as error:
            raise self._full(error) from None

    def __delitem__(self, key: K) -> None:
        if not self.discard(key):
            raise self._missing(key)

    def discard(self, key: K) -> bool:
        """Delete an element; return whether it was there: ``BPF_MAP_DELETE_ELEM``."""
        access = self._access
        if access is None:
            access = self._open()
        try:
            return access.remove(key)
        except _BAD as error:
            raise self._refused(error, key) from None

    def lookup_and_delete(self, key: K) -> V | None:
        """Take an element out in one step; None when there is none.

        ``BPF_MAP_LOOKUP_AND_DELETE_ELEM``, Linux 5.14.
        """
        data = self._open().take(self._pack_key(key))
        return None if data is None else self._value.unpack(data)

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, /, default: V) -> V: ...
    @overload
    def pop(self, key: K, /, default: D) -> V | D: ...
    def pop(self, key: K, /, *default: Any, **named: Any) -> Any:
        """Take an element out; KeyError when there is none and no default.

        In one step, which needs Linux 5.14; before, what a program writes between
        reading and deleting is lost.
        """
        fallback = (*default, *named.values())
        try:
            value = self.lookup_and_delete(key)
        except BpfOSError as error:
            if error.errno not in _NO_TAKE:
                raise
            value = self.get(key)
            self.discard(key)
        if value is not None:
            return value
        if fallback:
            return fallback[0]
        raise self._missing(key)

    def _missing(self, key: K) -> KeyError:
        error = KeyError(key)
        error.add_note(f"{self._what()} has no such key")
        return error

    # -- many elements ---------------------------------------------------------

    def __iter__(self) -> Iterator[K]:
        return self.each_key()

    def __len__(self) -> int:
        """Count the elements, which reads all of them."""
        return sum(len(keys) for keys, _ in self._elements())

    def keys(self) -> KeysView[K]:
        """Return a view of the keys, read when it is iterated."""
        return super().keys()

    def values(self) -> ValuesView[V]:
        """Return a view of the values, read in batches when it is iterated."""
        return _Values(self)

    def items(self) -> ItemsView[K, V]:
        """Return a view of keys and values, read in batches when it is iterated."""
        return _Items(self)

    def update(  # type: ignore[override] # no keywords: C has no keys that are names
        self,
        other: Mapping[K, V] | Iterable[tuple[K, V]] = (),
        /,
        *,
        flags: int = 0,
    ) -> None:
        """Write many elements in one call: ``BPF_MAP_UPDATE_BATCH``, Linux 5.6.

        One by one before. What was written before a failure stays.
        """
        pairs: Iterable[tuple[K, V]]
        if isinstance(other, Mapping):
            pairs = cast("Mapping[K, V]", other).items()
        else:
            pairs = other
        keys: list[bytes] = []
        values: list[bytes] = []
        for key, value in _pairs(pairs, self.what):
            keys.append(self._pack_key(key))
            values.append(self._pack_value(value))
        self._write(keys, values, self._whole(flags))

    def _write(self, keys: list[bytes], values: list[bytes], flags: int) -> None:
        access = self._open()
        try:
            if len(keys) > 1:
                try:
                    with self._handle.use() as fd:
                        syscalls.map_update_batch(
                            fd,
                            b"".join(keys),
                            b"".join(values),
                            len(keys),
                            elem_flags=flags,
                            what=self._what(),
                        )
                except BpfOSError as error:
                    if error.errno not in _NO_TAKE:
                        raise
                else:
                    return
            for key, value in zip(keys, values, strict=True):
                access.update(key, value, flags)
        except BpfOSError as error:
            raise self._full(error) from None

    def clear(self) -> None:
        """Delete all elements, also those that come meanwhile if they come slowly."""
        access = self._open()
        size = self._key.size
        for _ in range(16):
            empty = True
            for keys, _, count in self._batches():
                empty = False
                for start in range(0, count * size, size):
                    access.delete(keys[start : start + size])
            if empty:
                return


def _pairs(other: Iterable[tuple[K, V]], whose: str) -> Iterator[tuple[K, V]]:
    for number, pair in enumerate(sequence(other, "other", whose)):
        try:
            key, value = pair
        except (TypeError, ValueError):
            raise wrong(f"other[{number}]", "a key and a value", pair, whose) from None
        yield key, value


class _Values(ValuesView[V]):
    __slots__ = ()
    _mapping: HashMap[Any, V]

    def __iter__(self) -> Iterator[V]:
        return self._mapping.each_value()

    def __contains__(self, value: object) -> bool:
        return any(value == item for item in self)


class _Items(ItemsView[K, V]):
    __slots__ = ()
    _mapping: HashMap[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping.each_item()
