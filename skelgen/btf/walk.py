"""One pass over the type section: where each record begins."""

from __future__ import annotations

from array import array

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import EXTRA_WORDS, KIND_SHIFT, MAX_KIND, MAX_VLEN, ROWS

if TYPE_CHECKING:
    from typing import TypeAlias

Words: TypeAlias = "array[int] | memoryview[int]"
"""Numbers of 32 bits in the machine's byte order."""

LINKED = frozenset(kind for kind, row in ROWS.items() if row.linked)
"""Kinds whose names the kernel's linker knows, most of all functions."""
LISTED = frozenset(kind for kind, row in ROWS.items() if row.named) - LINKED
"""The other kinds with names."""

# added to sizes in words, which are far smaller; and small ints both
_LISTED_MARK = 1 << 28
_LINKED_MARK = 1 << 29


def record_words(info: int, layout: bytes) -> int:
    """Return the length in words of a record, from its ``info`` word.

    ``layout`` is the layout section, which tells about kinds that are newer than
    skelgen.
    """
    kind = info >> KIND_SHIFT & MAX_KIND
    if 0 < kind < len(EXTRA_WORDS):
        once, each = EXTRA_WORDS[kind]
    elif kind and 4 * kind < len(layout):
        once, each = layout[4 * kind : 4 * kind + 2]
        if once % 4 or each % 4:
            raise BtfParseError(f"btf: kind {kind} has a layout of odd bytes")
        once //= 4
        each //= 4
    else:
        raise BtfParseError(f"btf: kind {kind} is unknown, {_why(layout)}")
    return 3 + once + each * (info & MAX_VLEN)


def _why(layout: bytes) -> str:
    """Return why a record of unknown kind cannot be skipped."""
    if not layout:
        return "and there is no layout section that says how long it is"
    return f"and the layout section tells of kinds up to {len(layout) // 4 - 1}"


class Places:
    """First words of the records: of all, and of those that are searched by name."""

    __slots__ = ("all", "linked", "listed")

    def __init__(self) -> None:
        self.all = array("I")
        self.listed = array("I")
        """Kinds of :data:`LISTED` with a name."""
        self.linked = array("I")
        """Kinds of :data:`LINKED`."""


def walk(words: Words, layout: bytes) -> Places:
    """Find where every record begins.

    Raises :class:`BtfParseError`, with the offset in the type section.
    """
    places = Places()
    try:
        position = _walk(words, layout, places)
    except BtfParseError as error:
        raise BtfParseError(error.message, 4 * places.all[-1]) from None
    if position != len(words):
        raise BtfParseError("btf: the last type runs past the end", 4 * places.all[-1])
    return places


def _walk(words: Words, layout: bytes, places: Places) -> int:
    # The kernel has 126,000 records and this loop runs before any of its programs
    # is loaded. A dict by info word takes the place of all arithmetic; a missing key
    # is rare, so that it may be an exception.
    infos = words[1:]
    end = len(infos)
    listed_mark, linked_mark = _LISTED_MARK, _LINKED_MARK
    sizes: dict[int, int] = {}
    append = places.all.append
    append_listed = places.listed.append
    append_linked = places.linked.append
    position = 0
    while position < end:
        try:
            while position < end:
                size = sizes[infos[position]]
                append(position)
                if size > listed_mark:
                    if size > linked_mark:
                        append_linked(position)
                        size -= linked_mark
                    else:
                        if words[position]:
                            append_listed(position)
                        size -= listed_mark
                position += size
        except KeyError:
            info = infos[position]
            append(position)  # an error names it
            size = record_words(info, layout)
            places.all.pop()  # and the loop comes here again
            kind = info >> KIND_SHIFT & MAX_KIND
            if kind in LISTED:
                size += listed_mark
            elif kind in LINKED:
                size += linked_mark
            sizes[info] = size
    if position == end and len(words):
        append(position)
        return position + 3  # half a record: never the end
    return position
