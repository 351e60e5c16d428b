"""The bytes of BTF: where each type and string is, and nothing decoded.

Strings are UTF-8; another is a :class:`BtfParseError` when it is asked for.
"""

import sys
from array import array
from mmap import mmap

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.header import Header
from skelgen.btf.kinds import KIND_SHIFT, MAX_KIND, REFERENCES, ROWS, Kind
from skelgen.btf.walk import Places, Words, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

OVERLAP = 32
"""How often a byte may be part of strings that are asked for; in BTF that a compiler
wrote, no string is part of another, and each is looked at in one or two ways."""

_KINDS = tuple(ROWS)


class RawBtf:
    """The records and strings of BTF, in either byte order.

    ``base`` is the BTF that split BTF continues. Raises :class:`BtfParseError`.
    """

    __slots__ = (
        "_below",
        "_data",
        "_offsets",
        "_room",
        "_strings",
        "_strings_end",
        "_strings_start",
        "_types_start",
        "byteorder",
        "header_extra",
        "layout",
        "own_layout",
        "start_id",
        "start_string_offset",
        "words",
    )

    def __init__(
        self,
        data: bytes | bytearray | memoryview | mmap,
        *,
        base: "RawBtf | None" = None,
    ) -> None:
        self._open(data, base)
        self._offsets: Words = self._walk().all

    def _open(
        self, data: bytes | bytearray | memoryview | mmap, base: "RawBtf | None"
    ) -> None:
        """Do everything but look for the types."""
        self._data = data if isinstance(data, bytes | mmap) else bytes(data)
        header = Header(self._data)
        self._below = base
        self.byteorder = header.byteorder
        """``"little"`` or ``"big"``, as in ``sys.byteorder``."""
        if base is not None and base.byteorder != self.byteorder:
            raise BtfParseError("btf: its base has the other byte order", 0)
        self.header_extra = header.extra
        """Whether the header says something that skelgen does not know."""
        self.own_layout = bytes(self._data[slice(*header.layout)])
        """``struct btf_layout`` of every kind, from Linux 7.1 on; else empty."""
        self.layout = self.own_layout
        """The same, of the base where there is none here."""
        self.start_id = 1
        """Number of the first type here."""
        self.start_string_offset = 0
        """Offset of the first string here."""
        if base is not None:
            self.layout = self.own_layout or base.layout
            self.start_id = len(base)
            self.start_string_offset = base.start_string_offset + base.string_size
        self._strings_start, self._strings_end = header.strings
        self._strings: dict[int, str] = {}
        self._room = 4096 + OVERLAP * (self._strings_end - self._strings_start)
        self._check_strings()
        self._types_start = header.types[0]
        self.words: Words = self._native_words(*header.types)
        """The type section, as numbers of 32 bits."""

    def _check_strings(self) -> None:
        start, end = self._strings_start, self._strings_end
        if start == end and self._below is not None:
            return
        if start == end or self._data[end - 1] != 0:
            raise BtfParseError("btf: strings do not end with NUL", end - 1)
        if self._below is None and self._data[start] != 0:
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

    def kind(self, type_id: int) -> Kind:
        """Return the kind of a type, without decoding it."""
        if type_id == 0:
            return Kind.VOID
        owner, position = self._locate(type_id)
        number = owner.words[position + 1] >> KIND_SHIFT & MAX_KIND
        return _KINDS[number] if number < len(_KINDS) else Kind.UNKNOWN

    def name(self, type_id: int) -> str:
        """Return the name of a type, ``""`` if it has none, without decoding it."""
        if type_id == 0:
            return ""
        owner, position = self._locate(type_id)
        return owner.string(owner.words[position])

    def names(self, kind: Kind, prefix: str = "") -> "Iterator[str]":
        """Iterate over the names of a kind that begin so, without the base's."""
        # of a kernel's 150,000 types: no call for those of another kind
        words = self.words
        for position in self._offsets:
            if words[position + 1] >> KIND_SHIFT & MAX_KIND == kind:
                name = self.string(words[position])
                if name.startswith(prefix):
                    yield name

    def ref(self, type_id: int) -> int:
        """Return the one type that a pointer, modifier, ... refers to.

        Zero for kinds that refer to none, and for structs, arrays and sections.
        """
        if type_id == 0:
            return 0
        owner, position = self._locate(type_id)
        if self.kind(type_id) not in REFERENCES:
            return 0
        target = owner.words[position + 2]
        if target >= len(self):
            raise BtfParseError(
                f"btf: type {type_id} refers to type {target},"
                f" and there are {len(self)}",
                self.offset(type_id),
            )
        return target

    def _locate(self, type_id: int) -> "tuple[RawBtf, int]":
        index = type_id - self.start_id
        if index < 0 and self._below is not None:
            return self._below._locate(type_id)
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
        if own < 0 and self._below is not None:
            return self._below.string(offset)
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

    def string_head(self, offset: int, width: int) -> bytes:
        """Return a string's first bytes; empty if it is out of range."""
        own = offset - self.start_string_offset
        if own < 0 and self._below is not None:
            return self._below.string_head(offset, width)
        start = self._strings_start + own
        if start >= self._strings_end:
            return b""
        return self._data[start : start + width].partition(b"\0")[0]

    def _raw_string(self, offset: int) -> bytes:
        """Return a string that may be no UTF-8, or empty if it is out of range."""
        own = offset - self.start_string_offset
        if own < 0 and self._below is not None:
            return self._below._raw_string(offset)
        start = self._strings_start + own
        return self._string_at(start) if start < self._strings_end else b""
