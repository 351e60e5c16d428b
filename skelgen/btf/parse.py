"""BTF, read on demand: raw bytes, the place of every type, nothing more.

A type is decoded when it is asked for, and then kept. Constructing a :class:`Btf`
checks the header, the sections and the length of every record; what a record says
(names, references) is checked when it is decoded, or all at once by
:func:`skelgen.btf.verify.check`.

Strings are UTF-8; another is a :class:`BtfParseError` when it is asked for.
"""

import sys
from array import array
from mmap import mmap

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.header import Header
from skelgen.btf.kinds import EXTRA_WORDS, Kind
from skelgen.btf.walk import Places, Words, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from skelgen.btf.types import Type

OVERLAP = 32
"""How often a byte may be part of strings that are asked for; in BTF that a compiler
wrote, no string is part of another, and each is looked at in one or two ways."""

_KINDS = tuple(Kind(number) for number in range(len(EXTRA_WORDS)))
_REFERENCES = frozenset(
    {
        Kind.PTR,
        Kind.TYPEDEF,
        Kind.VOLATILE,
        Kind.CONST,
        Kind.RESTRICT,
        Kind.FUNC,
        Kind.FUNC_PROTO,
        Kind.VAR,
        Kind.DECL_TAG,
        Kind.TYPE_TAG,
    }
)


class Btf:
    """BTF of an object, of the kernel or of a module, in either byte order.

    ``base`` is what split BTF continues: vmlinux for a module. Raises
    :class:`BtfParseError`.
    """

    __slots__ = (
        "_cache",
        "_data",
        "_decode",
        "_named",
        "_offsets",
        "_room",
        "_strings",
        "_strings_end",
        "_strings_start",
        "_types_start",
        "align_cache",
        "base",
        "byteorder",
        "declarations",
        "header_extra",
        "layout",
        "start_id",
        "start_string_offset",
        "words",
    )

    def __init__(
        self,
        data: bytes | bytearray | memoryview | mmap,
        *,
        base: "Btf | None" = None,
    ) -> None:
        self._open(data, base)
        self._offsets: Words = self._walk().all

    def _open(
        self, data: bytes | bytearray | memoryview | mmap, base: "Btf | None"
    ) -> None:
        """Do everything but look for the types."""
        self._data = data if isinstance(data, bytes | mmap) else bytes(data)
        header = Header(self._data)
        self.base = base
        """What this BTF continues, or ``None``."""
        self.byteorder = header.byteorder
        """``"little"`` or ``"big"``, as in ``sys.byteorder``."""
        if base is not None and base.byteorder != self.byteorder:
            raise BtfParseError("btf: its base has the other byte order", 0)
        self.header_extra = header.extra
        """Whether the header says something that skelgen does not know."""
        self.layout = bytes(self._data[slice(*header.layout)])
        """``struct btf_layout`` of every kind, from Linux 7.0 on; else empty."""
        self.start_id = 1
        """Number of the first type here."""
        self.start_string_offset = 0
        """Offset of the first string here."""
        if base is not None:
            self.layout = self.layout or base.layout
            self.start_id = len(base)
            self.start_string_offset = base.start_string_offset + base.string_size
        self._strings_start, self._strings_end = header.strings
        self._strings: dict[int, str] = {}
        self._room = 4096 + OVERLAP * (self._strings_end - self._strings_start)
        self._check_strings()
        self._types_start = header.types[0]
        self.words: Words = self._native_words(*header.types)
        """The type section, as numbers of 32 bits."""
        self._cache: dict[int, Type] = {}
        self._decode: Callable[[Btf, int], Type] | None = None
        self._named: dict[bytes, list[int]] | None = None
        self.align_cache: dict[tuple[int, int], int] = {}
        """Alignments of structs found by :func:`skelgen.btf.resolve.align_of`."""
        self.declarations: dict[tuple[int, bool], tuple[str, str]] = {}
        """What :func:`skelgen.btf.decl.declaration` writes before and behind a name,
        by type and by whether there is a name."""

    def _check_strings(self) -> None:
        start, end = self._strings_start, self._strings_end
        if start == end and self.base is not None:
            return
        if start == end or self._data[end - 1] != 0:
            raise BtfParseError("btf: strings do not end with NUL", end - 1)
        if self.base is None and self._data[start] != 0:
            raise BtfParseError(
                "btf: strings do not start with the empty one;"
                " does this BTF continue a base?",
                start,
            )

    def _native_words(self, start: int, end: int) -> Words:
        if (end - start) % 4:
            raise BtfParseError("btf: types end in the middle of a word", end)
        view = memoryview(self._data)[start:end]
        if self.byteorder == sys.byteorder:
            return view.cast("I")
        words = array("I", view.tobytes())
        words.byteswap()
        return words

    def _walk(self) -> Places:
        try:
            return walk(self.words, self.layout)
        except BtfParseError as error:
            at = self._types_start + (error.offset or 0)
            raise BtfParseError(error.message, at) from None

    # Types

    def __len__(self) -> int:
        """Count the type numbers: the base's, ``void`` and those here."""
        return self.start_id + len(self._offsets)

    def ids(self) -> range:
        """Return the numbers of the types stored here, not in the base."""
        return range(self.start_id, self.start_id + len(self._offsets))

    def type(self, type_id: int) -> "Type":
        """Return a type, decoded."""
        found = self._cache.get(type_id)
        if found is not None:
            return found
        if self.base is not None and type_id < self.start_id:
            return self.base.type(type_id)
        if self._decode is None:
            # 22 named tuples take 3 ms to define: not before they are needed
            from skelgen.btf.decode import decode

            self._decode = decode
        found = self._cache[type_id] = self._decode(self, type_id)
        return found

    def kind(self, type_id: int) -> Kind:
        """Return the kind of a type, without decoding it."""
        if type_id == 0:
            return Kind.VOID
        owner, position = self._locate(type_id)
        number = owner.words[position + 1] >> 24 & 0x7F
        return _KINDS[number] if number < len(_KINDS) else Kind.UNKNOWN

    def name(self, type_id: int) -> str:
        """Return the name of a type, ``""`` if it has none, without decoding it."""
        if type_id == 0:
            return ""
        owner, position = self._locate(type_id)
        return owner.string(owner.words[position])

    def names(self, kind: Kind, prefix: str = "") -> "Iterator[str]":
        """Iterate over the names of a kind that begin so, without the base's."""
        for type_id in self.ids():
            if self.kind(type_id) is kind and self.name(type_id).startswith(prefix):
                yield self.name(type_id)

    def ref(self, type_id: int) -> int:
        """Return the one type that a pointer, modifier, ... refers to.

        Zero for kinds that refer to none, and for structs, arrays and sections.
        """
        if type_id == 0:
            return 0
        owner, position = self._locate(type_id)
        if self.kind(type_id) not in _REFERENCES:
            return 0
        target = owner.words[position + 2]
        if target >= len(self):
            raise BtfParseError(
                f"btf: type {type_id} refers to type {target},"
                f" and there are {len(self)}",
                self.offset(type_id),
            )
        return target

    def _locate(self, type_id: int) -> "tuple[Btf, int]":
        index = type_id - self.start_id
        if index < 0 and self.base is not None:
            return self.base._locate(type_id)  # noqa: SLF001 - the same class
        if not 0 <= index < len(self._offsets):
            raise BtfParseError(f"btf: no type {type_id}, there are {len(self)}")
        return self, self._offsets[index]

    def record(self, type_id: int) -> tuple[int, int]:
        """Return the first and the end word in ``words`` of a type stored here."""
        index = type_id - self.start_id
        offsets = self._offsets
        if not 0 <= index < len(offsets):
            raise BtfParseError(f"btf: no type {type_id}, there are {len(self)}")
        if index + 1 < len(offsets):
            return offsets[index], offsets[index + 1]
        return offsets[index], len(self.words)

    @property
    def positions(self) -> Words:
        """First words in ``words`` of the types stored here."""
        return self._offsets

    def offset(self, type_id: int) -> int:
        """Return the first byte of a type stored here, in the data."""
        return self._types_start + 4 * self.record(type_id)[0]

    # Strings

    @property
    def raw(self) -> bytes:
        """The data as it was given."""
        return bytes(self._data)

    @property
    def type_bytes(self) -> bytes:
        """The type section as it is stored."""
        start = self._types_start
        return self._data[start : start + 4 * len(self.words)]

    @property
    def string_bytes(self) -> bytes:
        """The strings as they are stored."""
        return self._data[self._strings_start : self._strings_end]

    @property
    def string_size(self) -> int:
        """Bytes of strings here, without the base's."""
        return self._strings_end - self._strings_start

    def string(self, offset: int) -> str:
        """Return the string at an offset, counted from the base's first string."""
        if offset == 0:
            return ""
        found = self._strings.get(offset)
        if found is not None:
            return found
        own = offset - self.start_string_offset
        if own < 0 and self.base is not None:
            return self.base.string(offset)
        start = self._strings_start + own
        if start >= self._strings_end:
            raise BtfParseError(f"btf: no string {offset:#x}, the last ends before")
        try:
            found = self._strings[offset] = self._string_at(start).decode()
        except UnicodeDecodeError:
            raise BtfParseError(
                f"btf: string {offset:#x} is not UTF-8", start
            ) from None
        return found

    def _string_at(self, start: int) -> bytes:
        """Return the string at a place in the data; all of them have so much room.

        Strings may be the tails of others, so that a small file could otherwise ask
        for its size squared.
        """
        end = self._data.find(b"\0", start)
        self._room -= end - start
        if self._room < 0:
            raise BtfParseError(
                f"btf: its strings overlap, and come to more than {OVERLAP} times"
                f" their {self.string_size} bytes",
                start,
            )
        return self._data[start:end]

    # Search

    def find(
        self, name: str, kind: Kind | None = None, *, own: bool = False
    ) -> int | None:
        """Return the first type of that name, or ``None``.

        The base comes first; ``own`` leaves it out.
        """
        if self.base is not None and not own:
            found = self.base.find(name, kind)
            if found is not None:
                return found
        named = self._own_named(name, () if kind is None else (kind,))
        return named[0] if named else None

    def find_all(self, name: str, *kinds: Kind, own: bool = False) -> list[int]:
        """Return every type of that name, of any of the kinds if some are given."""
        found: list[int] = []
        if self.base is not None and not own:
            found += self.base.find_all(name, *kinds)
        return found + self._own_named(name, kinds)

    def _own_named(self, name: str, kinds: tuple[Kind, ...]) -> list[int]:
        """Return the types stored here of a name and kinds, in order."""
        if self._named is None:
            self._named = self._all_named()
        key = name.encode("utf-8", "surrogatepass")
        found = self._named.get(key, ()) if key else ()
        return [
            type_id for type_id in found if not kinds or self.kind(type_id) in kinds
        ]

    def _all_named(self) -> dict[bytes, list[int]]:
        """Return all types stored here by their names."""
        named: dict[bytes, list[int]] = {}
        lists: dict[int, list[int]] = {0: []}
        for type_id, position in zip(self.ids(), self._offsets, strict=True):
            offset = self.words[position]
            if offset not in lists:
                lists[offset] = named.setdefault(self._raw_string(offset), [])
            lists[offset].append(type_id)
        return named

    def _raw_string(self, offset: int) -> bytes:
        """Return a string that may be no UTF-8, or empty if it is out of range."""
        own = offset - self.start_string_offset
        if own < 0 and self.base is not None:
            return self.base._raw_string(offset)  # noqa: SLF001 - the same class
        start = self._strings_start + own
        return self._string_at(start) if start < self._strings_end else b""
