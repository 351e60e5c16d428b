"""Kernel BTF, searched by name without an object a type.

The BTF of vmlinux has over 100,000 types in 5 MB. One pass over it finds where each
type begins; names are then searched as bytes, in one string of all names of structs,
unions, enums, typedefs, ... and in one table of the names of functions and variables;
or by bisection where the types are sorted by name, as those of Linux 7.0 are. All that
the pass found can be stored and used again, see :meth:`KernelBtf.index_bytes`.
"""

from array import array
from binascii import crc32
from bisect import bisect_left
from itertools import compress, count
from mmap import mmap
from operator import ge
from struct import Struct, pack

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import ENUMS, Kind
from skelgen.btf.names import essential_name
from skelgen.btf.parse import Btf
from skelgen.btf.raw import OVERLAP
from skelgen.btf.walk import LINKED, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skelgen.btf.sorted_names import SortedNames

# magic and version, 1 in native byte order, checksum of samples, then the number of
# types, listed types, bytes of listed names, linked types, and the number of the first
# named type where they are sorted, else 0
_INDEX = Struct("=8s7I")
_MAGIC = b"skelbtf\2"
_SAMPLE = 4096
_AT_ONCE = 256  # strings between two looks at how much they are
_SAMPLES = 64
_HEAD = 32


class KernelBtf(Btf):
    """BTF of vmlinux, of a module (``base`` is vmlinux), or given in their place.

    ``data`` may be a private read-only ``mmap``, which stays in use.
    """

    __slots__ = ("_linked", "_linked_names", "_listed", "_listed_names", "_sorted")

    def __init__(
        self,
        data: bytes | bytearray | memoryview | mmap,
        *,
        base: Btf | None = None,
    ) -> None:
        self._open(data, base)
        self._prepare(base)
        places = self._walk()
        self._offsets = places.all
        self._sorted = self._sorted_from(self._first_named())
        if self._sorted is not None:
            places.listed = places.linked = array("I")
        self._listed: Words = places.listed
        self._linked: Words = places.linked
        self._linked_names: bytes | None = None  # their name_off words
        self._listed_names = self._list_names()

    def _list_names(self) -> bytes:
        """Return a NUL and a name for each listed type, and a NUL."""
        words = self.words
        offsets = [words[position] for position in self._listed]
        if self.base is None:
            strings = self.string_bytes
            ends = self._string_ends(strings, offsets)
            names = [
                strings[offset:end] for offset, end in zip(offsets, ends, strict=True)
            ]
        else:
            names = [self._raw_string(offset) for offset in offsets]
        return b"\0%b\0" % b"\0".join(names)

    def _first_named(self) -> int | None:
        """Return which type is the first with a name, if all are sorted by name."""
        words, places = self.words, self._offsets
        some = places[:: len(places) // _SAMPLES + 1]
        if not self._ascend([words[at] for at in some]):
            return None  # kernels before 7.0 end here
        offsets = [words[at] for at in places]
        first = next(compress(count(), offsets), len(places))
        if 0 in offsets[first:] or not self._ascend(offsets[first:]):
            return None
        return self.start_id + first

    def _ascend(self, offsets: list[int]) -> bool:
        """Return whether names are in the order of their bytes.

        Of most of them the first bytes tell, up to the NUL and beyond.
        """
        if self.base is None:
            strings = self.string_bytes
            heads = [strings[offset : offset + _HEAD] for offset in offsets]
        else:
            heads = [self.string_head(offset, _HEAD) for offset in offsets]
        unclear = compress(count(), map(ge, heads, heads[1:]))
        name = self._raw_string
        return all(
            offsets[n] == offsets[n + 1] or name(offsets[n]) <= name(offsets[n + 1])
            for n in unclear
        )

    def _sorted_from(self, first: int | None) -> "SortedNames | None":
        if first is None:
            return None
        # kernels before 7.0 do without
        from skelgen.btf.sorted_names import SortedNames

        return SortedNames(self, first - self.start_id)

    def _string_ends(self, strings: bytes, offsets: list[int]) -> list[int]:
        """Find where strings end, and refuse those that overlap without measure."""
        find = strings.find
        ends: list[int] = []
        room = OVERLAP * len(strings)
        for first in range(0, len(offsets), _AT_ONCE):
            some = offsets[first : first + _AT_ONCE]
            found = [find(b"\0", offset) for offset in some]
            room -= sum(found) - sum(some)
            if room < 0:
                raise BtfParseError("btf: its strings overlap", self._strings_start)
            ends += found
        return ends

    def _link_names(self) -> bytes:
        """Return the name offsets of functions and variables."""
        if self._linked_names is None:
            words = self.words
            names = array("I", [words[position] for position in self._linked])
            self._linked_names = names.tobytes()
        return self._linked_names

    # Search

    def candidates(self, essential: str, kind: Kind) -> list[int]:
        """Return the types here that CO-RE compares with a local type, in order.

        They have the essential name, and the kind; an ``enum`` of 32 bits and one of
        64 are of one kind. The base is not searched.
        """
        name = essential.encode("utf-8", "surrogatepass")
        found: list[int] = []
        for type_id in self._equal_or_flavored(name):
            found_kind = self.kind(type_id)
            if (
                found_kind is kind or (found_kind in ENUMS and kind in ENUMS)
            ) and essential_name(self.name(type_id)) == essential:
                found.append(type_id)
        return sorted(found)

    def _equal_or_flavored(self, name: bytes) -> list[int]:
        """Return the types of a name, and of the name with ``___`` behind it."""
        if self._sorted is not None:
            return [*self._sorted.equal(name), *self._sorted.starting(name + b"___")]
        key = b"\0" + name
        return self._search_listed(key + b"\0") + self._search_listed(key + b"___")

    def _search_listed(self, key: bytes) -> list[int]:
        """Return the listed types whose name, in NULs, starts with a key."""
        names = self._listed_names
        found: list[int] = []
        at = names.find(key)
        counted = index = 0
        while at >= 0:
            index += names.count(b"\0", counted, at)
            counted = at
            if index == len(self._listed):
                break  # the NUL at the end begins no name
            found.append(self._id_at(self._listed[index]))
            at = names.find(key, at + 1)
        return found

    def _search_linked(self, name: bytes) -> list[int]:
        names = self._link_names()
        found: list[int] = []
        for offset in self._string_offsets(name):
            key = pack("=I", offset)
            at = names.find(key)
            while at >= 0:
                if at % 4 == 0:
                    found.append(self._id_at(self._linked[at // 4]))
                at = names.find(key, at + 1)
        return found

    def _string_offsets(self, name: bytes) -> "Iterator[int]":
        """Yield every offset where a string begins, here or in the base."""
        if isinstance(self.base, KernelBtf):
            yield from self.base._string_offsets(name)
        key = b"\0" + name + b"\0"
        start, end = self._strings_start, self._strings_end
        strings = self._data[start:end]
        if strings.startswith(key[1:]):  # split BTF has no empty string before it
            yield self.start_string_offset
        at = strings.find(key)
        while at >= 0:
            yield self.start_string_offset + at + 1
            at = strings.find(key, at + 1)

    def _id_at(self, position: int) -> int:
        return self.start_id + bisect_left(self._offsets, position)

    def _own_named(self, name: str, kinds: tuple[Kind, ...]) -> list[int]:
        raw = name.encode("utf-8", "surrogatepass")
        if not raw or b"\0" in raw:
            return []
        found: list[int] = []
        if self._sorted is not None:
            found += self._sorted.equal(raw)
        elif not kinds or not LINKED.issuperset(kinds):
            found += self._search_listed(b"\0" + raw + b"\0")
        if self._sorted is None and (not kinds or not LINKED.isdisjoint(kinds)):
            found += self._search_linked(raw)
        return sorted(
            type_id for type_id in found if not kinds or self.kind(type_id) in kinds
        )

    # The index

    def index_bytes(self) -> bytes:
        """Return all that was found out, for :meth:`from_index` of another process.

        It is native to this machine and good for this BTF alone; split BTF has none.
        """
        if self.base is not None:
            raise ValueError("split BTF depends on its base and has no index")
        header = _INDEX.pack(
            _MAGIC,
            1,
            self._checksum(),
            len(self._offsets),
            len(self._listed),
            len(self._listed_names),
            len(self._linked),
            0 if self._sorted is None else self._sorted.first_id,
        )
        return b"".join(
            (
                header,
                self._offsets.tobytes(),
                self._listed.tobytes(),
                self._linked.tobytes(),
                self._link_names(),
                self._listed_names,
            )
        )

    def _checksum(self) -> int:
        """Check a few pages: other BTF of the very same size differs there."""
        data = self._data
        middle = self._strings_start
        value = crc32(pack("=Q", len(data)))
        for at in (0, middle // 2, middle - _SAMPLE, middle, len(data) - _SAMPLE):
            value = crc32(data[max(at, 0) : max(at, 0) + _SAMPLE], value)
        return value

    @classmethod
    def from_index(
        cls, data: bytes | bytearray | memoryview | mmap, index: bytes | memoryview
    ) -> "KernelBtf":
        """Take up what :meth:`index_bytes` returned for the same data.

        ``index`` stays in use; it may be a ``memoryview`` of a mapped file. Raises
        :class:`BtfParseError` when it belongs to other BTF or another skelgen.
        """
        self = cls.__new__(cls)
        self._open(data, None)
        self._prepare(None)
        view = memoryview(index)
        if len(view) < _INDEX.size:
            raise BtfParseError("btf index: too short", 0)
        header = _INDEX.unpack_from(view)
        magic, one, checksum, types, listed, names, linked, first = header
        if magic != _MAGIC or one != 1 or checksum != self._checksum():
            raise BtfParseError("btf index: made for other BTF", 0)
        if len(view) != _INDEX.size + 4 * (types + listed + 2 * linked) + names:
            raise BtfParseError("btf index: has a wrong length", 0)
        at = _INDEX.size
        tables: list[memoryview] = []
        for size in (4 * types, 4 * listed, 4 * linked, 4 * linked, names):
            tables.append(view[at : at + size])
            at += size
        self._offsets = tables[0].cast("I")
        self._listed = tables[1].cast("I")
        self._linked = tables[2].cast("I")
        self._linked_names = bytes(tables[3])
        self._listed_names = bytes(tables[4])
        self._sorted = self._sorted_from(first or None)
        return self
