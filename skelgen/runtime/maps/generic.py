"""Maps of every other type: elements by system call, as the kernel has them."""

from __future__ import annotations

import errno
import sys

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.model import map_types
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.maps.base import ElementMap
from skelgen.runtime.maps.families import family
from skelgen.runtime.maps.target import SupportsFd, SupportsFileno, fd_of
from skelgen.runtime.values.codec import BytesCodec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.values.codec import Codec

K = TypeVar("K")
V = TypeVar("V")


class GenericMap(ElementMap[K, V]):
    """A map of a type without a class of its own.

    =========================================  ======================================
    type                                       what works
    =========================================  ======================================
    LPM trie, resizable hash (7.2)             all but push, pop, peek
    queue, stack                               push, pop, peek
    bloom filter                               push, and ``value in map``
    stack trace                                lookup, delete, keys
    array and hash of maps                     update with a map (see create_inner);
                                               lookup gives its id
    dev, cpu, xsk, sock maps, cgroup and perf  update (sockets, cgroups and events as
    event arrays                               files), lookup where the kernel allows
    socket, inode, task, cgroup storage        lookup, update, delete by fd
    old cgroup storage                         lookup, update of what programs made
    =========================================  ======================================

    What the kernel refuses raises BpfOSError. Values are copies, and read-only: change
    ``copy.deepcopy(value)`` and write that.
    """

    __slots__ = ()

    def __init__(self, handle: MapHandle, *, key: Codec[K], value: Codec[V]) -> None:
        super().__init__(handle, key, value)

    def _serves(self, type_: int) -> bool:
        return not map_types.row(type_).per_cpu

    def _writing(self) -> str:
        keyless = map_types.row(self.type).key == map_types.NONE
        return ".push(new)" if keyless else ".update(key, new)"

    def lookup(self, key: K, *, flags: int = 0) -> V | None:
        """Return a value, None when there is none: ``BPF_MAP_LOOKUP_ELEM``."""
        data = self._pack_key(key)
        return self._open().get(data, self._value.unpack, self._whole(flags))

    def update(
        self, key: K, value: V | SupportsFd | SupportsFileno, *, flags: int = 0
    ) -> None:
        """Write an element: ``BPF_MAP_UPDATE_ELEM``.

        ``value`` as its codec says, or a map, program, socket or file where the
        kernel wants an fd. ``flags``: ``BPF_NOEXIST``, ``BPF_EXIST``, ``BPF_F_LOCK``.
        """
        data = self._pack_value(self._plain(value))
        try:
            self._open().update(self._pack_key(key), data, self._whole(flags))
        except BpfOSError as error:
            inner = self.inner
            if error.errno == errno.EINVAL and inner is not None:
                error.add_note(
                    "an inner map has the type, sizes and flags of the template, arrays"
                    f" its entries, too; create_inner() makes one like {inner}"
                )
            raise self._full(error) from None

    def delete(self, key: K) -> bool:
        """Delete an element; False when there is none: ``BPF_MAP_DELETE_ELEM``."""
        return self._open().delete(self._pack_key(key))

    def lookup_and_delete(self, key: K) -> V | None:
        """Take an element out; None when there is none.

        ``BPF_MAP_LOOKUP_AND_DELETE_ELEM``, Linux 5.14.
        """
        data = self._open().take(self._pack_key(key))
        return None if data is None else self._value.unpack(data)

    def keys(self) -> Iterator[K]:
        """Yield every key once: ``BPF_MAP_GET_NEXT_KEY``."""
        for key in self._raw_keys(self._open()):
            yield self._key.unpack(key)

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield keys with their values."""
        access = self._open()
        for key in self._raw_keys(access):
            value = access.get(key, self._value.unpack)
            if value is not None:
                yield self._key.unpack(key), value

    # -- maps of maps ----------------------------------------------------------

    def create_inner(
        self,
        *,
        max_entries: int | None = None,
        key: Codec[Any] | None = None,
        value: Codec[Any] | None = None,
        record: Codec[Any] | None = None,
    ) -> Any:  # noqa: ANN401 (of the family of its type)
        """Make a new map that fits into this map of maps, after its template.

        ::

            with skel.maps.outer.create_inner(key=rt.U32, value=rt.U64) as new:
                new[1] = 5
                skel.maps.outer.update(key, new)

        It is a map like any other, of the family of its type; without ``key`` and
        ``value`` (or ``record``, of a ring buffer) its elements are bytes. It is the
        caller's: ``close()`` or ``with`` closes it, and in the kernel it lives on in
        the maps that have it. ``max_entries`` in place of the template's suits hash
        maps, and arrays with ``BPF_F_INNER_MAP`` (Linux 5.10). Raises TypeError for a
        map that is none of maps, StateError for one without template, BpfOSError where
        the kernel refuses.
        """
        from skelgen.runtime.maps.inner import create_inner

        made = create_inner(self.handle, max_entries)
        try:
            return family(made, key, value, record)
        except BaseException:
            made.close()
            raise

    # -- queues, stacks, bloom filters: no keys --------------------------------

    def push(self, value: V, *, flags: int = 0) -> None:
        """Add a value to a queue, stack or bloom filter.

        ``BPF_MAP_UPDATE_ELEM``, Linux 4.20; ``flags``: ``BPF_EXIST`` drops the oldest
        when it is full.
        """
        self._open()  # checks sizes
        data = self._pack_value(value)
        what = self._what()
        try:
            with self._handle.use() as fd:
                syscalls.map_update(fd, None, data, flags, what=what)
        except BpfOSError as error:
            raise self._full(error) from None

    def peek(self) -> V | None:
        """Return the next value of a queue or stack and leave it, None when empty."""
        self._open()
        value = bytearray(self._value.size)
        with self._handle.use() as fd:
            there = syscalls.map_lookup(fd, None, value, what=self._what())
        return self._value.unpack(value) if there else None

    def pop(self) -> V | None:
        """Take the next value out of a queue or stack, None when it is empty.

        ``BPF_MAP_LOOKUP_AND_DELETE_ELEM``, Linux 4.20.
        """
        self._open()
        value = bytearray(self._value.size)
        what = self._what()
        with self._handle.use() as fd:
            there = syscalls.map_lookup_and_delete(fd, None, value, what=what)
        return self._value.unpack(value) if there else None

    def __contains__(self, item: K | V) -> bool:
        """Whether a key, or for a bloom filter perhaps the value, is there."""
        if self._key.size:
            return self.lookup(item) is not None  # type: ignore[arg-type] # a key, or refused
        self._open()
        value = bytearray(self._pack_value(item))  # type: ignore[arg-type] # a value, or refused
        with self._handle.use() as fd:
            return syscalls.map_lookup(fd, None, value, what=self._what())

    def _plain(self, value: V | SupportsFd | SupportsFileno) -> V:
        """Return the fd of a map, program, socket or file; other values as they are."""
        if isinstance(value, (int, bytes, bytearray)) or self._value.size not in {4, 8}:
            return value  # type: ignore[return-value] # as the codec wants it
        try:
            fd = fd_of(value)
        except TypeError:
            return value  # type: ignore[return-value] # the codec says what it wants
        if isinstance(self._value, BytesCodec):  # of a map without types
            return fd.to_bytes(self._value.size, sys.byteorder)  # type: ignore[return-value] # likewise
        return fd  # type: ignore[return-value] # an int is a V here

    def _full(self, error: BpfOSError) -> BpfOSError:
        if error.errno == errno.ENOSPC:  # an LPM trie that is full
            error.errno = errno.E2BIG
        return super()._full(error)
