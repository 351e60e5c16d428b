"""The base class of maps, and how their elements are iterated."""

from __future__ import annotations

import errno
import operator

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar
from skelgen.plain import plain
from skelgen.runtime import syscalls
from skelgen.runtime.errors import (
    ENOTSUPP,
    BpfError,
    BpfOSError,
    MapFullError,
    StateError,
)
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.settings import (
    Defined,
    InnerSetting,
    OrNone,
    Path,
    ProgramName,
    Setting,
    type_name,
)
from skelgen.runtime.maps.typed_access import TypedAccess
from skelgen.runtime.syscalls.sizes import CopySizes, copy_sizes
from skelgen.runtime.values.codec import Codec, Copied, packed

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import ClassVar, Final, Self

    from skelgen.model.enums import MapType
    from skelgen.runtime.maps.target import SupportsFd, SupportsFileno
    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.syscalls import MapInfo

K = TypeVar("K")
V = TypeVar("V")

_NO_BATCH: Final = {ENOTSUPP, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}
_BATCH_BYTES: Final = 1 << 16


class Map(Defined):
    """A map of a BPF object, of any type.

    Before load its definition can be changed (``max_entries`` and the like), after
    load it is the map in the kernel. Raises StateError when it is too early for a
    call and ClosedError after the object was destroyed.
    """

    __slots__ = ("_handle", "untyped")

    family: ClassVar[str] = ""
    """Its name in :mod:`skelgen.model.map_types`; empty: it serves every type."""
    _internal = frozenset(
        (
            "check_setting",
            "each_item",
            "each_key",
            "each_value",
            "family",
            "setting",
            "what",
            "untyped",
        )
    )

    type: Setting[MapType | int] = Setting(MapHandle.type.codec)
    """``map_type``."""
    max_entries: Setting[int] = Setting(MapHandle.max_entries.codec)
    """Elements; bytes for ring buffers. Raise it before load."""
    key_size: Setting[int] = Setting(MapHandle.key_size.codec)
    """Bytes."""
    value_size: Setting[int] = Setting(MapHandle.value_size.codec)
    """Bytes, of one CPU for the per-CPU types."""
    flags: Setting[int] = Setting(MapHandle.flags.codec)
    """``map_flags``, ``BPF_F_*``."""
    map_extra: Setting[int] = Setting(MapHandle.map_extra.codec)
    """Hash functions of a bloom filter, address of an arena (Linux 5.16)."""
    numa_node: OrNone[int | None] = OrNone(MapHandle.numa_node.codec)
    """NUMA node of the memory, None for any."""
    ifindex: Setting[int] = Setting(MapHandle.ifindex.codec)
    """Network interface to offload the map to, ``map_ifindex``; 0 for none."""
    inner = InnerSetting()
    """Template of the inner maps of a map-in-map; None for other types."""
    pin_path: Path[str | os.PathLike[str] | None] = Path()
    """Where load looks for the map, and pins it when it is not there."""
    exclusive_program: ProgramName[Program | str | None] = ProgramName()
    """The one program that may use it, by its hash: ``excl_prog_hash``, Linux 6.18."""
    autocreate: Setting[bool] = Setting(MapHandle.autocreate.codec)
    """Whether load makes the map."""

    def __init__(self, handle: MapHandle) -> None:
        self._handle: Final = handle
        self.untyped = False
        """Whether the object made it by the map's type, and makes another for another."""

    def check_setting(self, name: str, value: object) -> None:
        """Refuse a type of map whose elements are others than these: TypeError."""
        if name != "type" or self.untyped:
            return
        number = operator.index(value)  # type: ignore[arg-type] # checked before
        if not self._serves(number):
            raise TypeError(
                f"{self._handle.what}: cannot become {type_name(number)}: it is"
                f" {type_name(self.type)} to its {type(self).__name__}, whose elements are"
                " others; declare that type in C, or set it on the object's map"
                " (skel.object.maps)"
            )

    def _serves(self, type_: int) -> bool:
        """Return whether elements of a map type are what this class takes them for."""
        from skelgen.model import map_types

        return not self.family or map_types.row(type_).family == self.family

    def _check_type(self, there: int) -> None:
        """Refuse a map that is of another type by now: BpfError."""
        if not self._serves(there):
            raise BpfError(
                f"{self._handle.what}: is {type_name(there)}, which is nothing for"
                f" {type(self).__name__}; take it from the object's maps"
                f" (object.maps['{plain(self.name)}'])"
            )

    @property
    def handle(self) -> MapHandle:
        """The map, whatever its elements are taken for."""
        return self._handle

    @property
    def what(self) -> str:
        """How errors call it."""
        return self._handle.what

    @property
    def name(self) -> str:
        """Name in C; the kernel keeps 15 bytes of it."""
        return self._handle.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{plain(self.name)}': {self._handle.life}>"

    def reuse(
        self, other: SupportsFd | SupportsFileno | int | str | os.PathLike[str] | None
    ) -> None:
        """Have load use a map that exists: another object's, an fd, or a pin's path.

        It has to be of this map's definition; BpfError says what differs. The object
        keeps an fd of its own. ``None`` takes it back. StateError after load.
        """
        self._handle.reuse(other)

    def fd(self) -> int:
        """Return the file descriptor, which stays the object's."""
        return self._handle.fd()

    def close(self) -> None:
        """Close a map that :meth:`.GenericMap.create_inner` made, or leave its ``with``.

        Idempotent. In the kernel it lives as long as it is in a map. Raises StateError
        for a map of an object, which the object's ``destroy()`` closes.
        """
        if not self._handle.alone:
            raise StateError(
                f"{self._handle.what}: is the object's, whose destroy() closes it"
            )
        self._handle.close()

    def __enter__(self) -> Self:
        if not self._handle.alone:
            self.close()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def info(self) -> MapInfo:
        """Return what the kernel tells about the map, Linux 4.13."""
        return self._handle.info()

    def freeze(self) -> None:
        """Make the map read-only for system calls: ``BPF_MAP_FREEZE``, Linux 5.2."""
        self._handle.freeze()

    def pin(self, path: str | os.PathLike[str] | None = None) -> None:
        """Keep the map under a path of a bpffs (by default ``pin_path``), Linux 4.4."""
        self._handle.pin(path)

    def unpin(self, path: str | os.PathLike[str] | None = None) -> None:
        """Remove a path that keeps the map: by default all that it has."""
        self._handle.unpin(path)


class ElementMap(Map, Generic[K, V]):
    """A map with keys and values: what its families have in common."""

    __slots__ = ("_access", "_key", "_value")

    def __init__(self, handle: MapHandle, key: Codec[K], value: Codec[V]) -> None:
        super().__init__(handle)
        name = plain(handle.name)
        place = f"maps.{name}" if name.isidentifier() else f"maps['{name}']"
        what, change = handle.what, "new = copy.deepcopy"
        self._key: Final = key.out_of(
            Copied(
                f"{what}: its key", f"change one of your own: {change}(key)", key=True
            )
        )
        self._value: Final = value.out_of(
            Copied(
                f"{what}: its value",
                f"change one of your own and write that: {change}(value), then"
                f" {place}{self._writing()}",
            )
        )
        self._access: TypedAccess[K, V] | None = None

    def _writing(self) -> str:
        """Return how an element is written, for messages."""
        return "[key] = new"

    def _what(self) -> str:
        return self._handle.what

    def _open(self) -> TypedAccess[K, V]:
        """Return the access to elements, which the first use makes."""
        access = self._access
        if access is None:
            handle = self._handle
            with handle.use() as fd:  # another thread may destroy the object now
                self._check_sizes(copy_sizes(fd, what=self._what()))
                access = TypedAccess(fd, self._key, self._value, what=self._what())
                handle.track(access)
            if handle.state == "destroyed":
                access.close()  # it may have come too late to be closed with the rest
                handle.fd()
            self._access = access
        return access

    def _check_sizes(self, sizes: CopySizes) -> None:
        """Refuse codecs that do not fit: the kernel would write past the buffers."""
        self._check_type(sizes.type)
        for word, codec, size in (
            ("key", self._key, sizes.key),
            ("value", self._value, sizes.value),
        ):
            if codec.size != size:
                raise BpfError(
                    f"{self._what()}: {word}s have {size} bytes, but their type here "
                    f"has {codec.size}"
                )

    def _pack_key(self, key: K) -> bytes:
        return packed(self._key, key, f"{self._what()}: key")

    def _pack_value(self, value: V) -> bytes:
        return packed(self._value, value, f"{self._what()}: value")

    def _whole(self, flags: int) -> int:
        """Return flags of a call for a whole value; per-CPU maps refuse some."""
        return flags

    def _refused(self, error: Exception, key: K, *value: V) -> Exception:
        """Return what a codec says about a key or value that its slot refused."""
        self._pack_key(key)
        for item in value:
            self._pack_value(item)
        return error

    def _full(self, error: BpfOSError) -> BpfOSError:
        """Return a better error for a map without room."""
        if error.errno != errno.E2BIG:
            return error
        return MapFullError(
            errno.E2BIG,
            f"is full: {self.max_entries} entries; raise max_entries before load()",
            command=error.command,
            what=self._what(),
        )

    # -- iteration -------------------------------------------------------------

    def _elements(self) -> Iterator[tuple[list[K], list[V]]]:
        """Yield runs of elements, each as the kernel had them at one time."""
        keys, values = self._key, self._value
        for key_buffer, value_buffer, count in self._batches():
            yield (
                keys.unpack_all(key_buffer, count),
                values.unpack_all(value_buffer, count),
            )

    def _batches(self) -> Iterator[tuple[bytearray, bytearray, int]]:
        """Yield keys, values and their number, a batch at a time.

        A batch covers whole buckets, so that elements deleted meanwhile do not send
        it back to the start, and no key comes twice.
        """
        access = self._open()  # checks sizes, and that the map is there
        key_size, value_size = self._key.size, self._value.size
        element = max(1, key_size + value_size)
        room = max(1, min(self.max_entries, _BATCH_BYTES // element))
        position: bytearray | None = None
        last = False
        while not last:
            out = bytearray(max(4, key_size))
            keys = bytearray(room * key_size)
            values = bytearray(room * value_size)
            try:
                with self._handle.use() as fd:
                    count, last = syscalls.map_lookup_batch(
                        fd, position, out, keys, values, room, what=self._what()
                    )
            except BpfOSError as error:
                if error.errno == errno.ENOSPC:  # a bucket with more than that
                    room *= 2
                    continue
                if position is None and error.errno in _NO_BATCH:
                    yield from self._one_by_one(access)
                    return
                raise
            position = out
            if count:
                yield keys, values, count

    def _one_by_one(
        self, access: TypedAccess[K, V]
    ) -> Iterator[tuple[bytearray, bytearray, int]]:
        """Yield elements one at a time, on kernels without batches (before 5.6)."""
        for key in self._raw_keys(access):
            value = access.lookup(key)
            if value is not None:
                yield bytearray(key), bytearray(value), 1

    def _raw_keys(self, access: TypedAccess[K, V]) -> Iterator[bytes]:
        """Yield every key once; a deleted key sends the kernel back to the first."""
        seen: set[bytes] = set()
        steps = 0
        key = access.next_key(None)
        while key is not None:
            if key not in seen:
                seen.add(key)
                yield key
            steps += 1
            if steps > 16 * self.max_entries + 1024:
                raise BpfError(f"{self._what()}: changes too fast to be iterated")
            key = access.next_key(key)

    def each_key(self) -> Iterator[K]:
        """Yield every key once, read in batches."""
        for keys, _ in self._elements():
            yield from keys

    def each_value(self) -> Iterator[V]:
        """Yield every value, read in batches."""
        for _, values in self._elements():
            yield from values

    def each_item(self) -> Iterator[tuple[K, V]]:
        """Yield keys with their values, read in batches."""
        for keys, values in self._elements():
            yield from zip(keys, values, strict=True)
