"""Where a C compiler for BPF puts the members of a struct, and how to make it.

What BTF says and C does not (``packed``, ``aligned``, holes) has to be written out,
or sizes and offsets would come out otherwise.
"""

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.flat import (
    ARRAY,
    COMPOSITES,
    ENUMS,
    FLOAT,
    INT,
    MODIFIERS,
    PTR,
    TYPEDEF,
    FlatTypes,
)
from skelgen.btf.resolve import MAX_NESTING, POINTER_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

_PADDING = (("long", 64), ("int", 32), ("short", 16), ("char", 8))
_ALIASES = MODIFIERS | {TYPEDEF}
_SCALARS = ENUMS | {INT, FLOAT}


class Layout(Record):
    """Size and alignment of a type, both in bits."""

    size: int
    align: int
    packed: bool = False
    """Whether a struct or union needs ``packed`` to come out so."""


_POINTER = Layout(8 * POINTER_SIZE, 8 * POINTER_SIZE)


class Layouts:
    """The layouts of the types of one BTF, each worked out once."""

    __slots__ = ("_known", "_types")

    def __init__(self, types: FlatTypes) -> None:
        self._types = types
        self._known: dict[int, Layout] = {}

    def of(self, type_id: int, depth: int = 0) -> Layout:
        """Return the layout of a type that a member can have.

        Raises :class:`BtfParseError` for what has no size, or contains itself.
        """
        known = self._known.get(type_id)
        if known is None:
            if depth > 4 * MAX_NESTING:
                raise BtfParseError(f"btf: type {type_id} is nested too deep")
            known = self._known[type_id] = self._find(type_id, depth + 1)
        return known

    def _find(self, type_id: int, depth: int) -> Layout:
        types = self._types
        kind = types.kind(type_id)
        if kind == PTR:
            return _POINTER
        if kind in _ALIASES:
            return self.of(types.ref(type_id), depth)
        if kind == ARRAY:
            element, count = types.array(type_id)
            size, align, _ = self.of(element, depth)
            return Layout(count * size, align)
        if kind in COMPOSITES:
            return self._composite(type_id, depth)
        if kind in _SCALARS:
            # 16 bytes are aligned to 16 by clang for BPF
            size = 8 * types.ref(type_id)
            return Layout(size, min(size, 128) or 8)
        raise BtfParseError(f"btf: type {type_id} cannot be part of a struct")

    def _composite(self, type_id: int, depth: int) -> Layout:
        types = self._types
        size, align, packed = 8 * types.ref(type_id), 8, False
        for _, member, offset, width in members(types, type_id):
            inner = self.of(member, depth)
            align = max(align, inner.align)
            if width:
                # a bit-field may not cross a unit of its type
                packed |= 0 < inner.size < offset % inner.size + width
            else:
                packed |= offset % inner.align != 0
        if packed or size % align:
            return Layout(size, 8, packed=True)
        return Layout(size, align)


def members(types: FlatTypes, type_id: int) -> "Iterator[tuple[int, int, int, int]]":
    """Yield name offset, type, bit offset and bit-field size of each member."""
    words = iter(types.payload(type_id, 3))
    if types.flag(type_id):
        for name, member, offset in zip(words, words, words, strict=True):
            yield name, member, offset & 0xFFFFFF, offset >> 24
    else:
        for name, member, offset in zip(words, words, words, strict=True):
            yield name, member, offset, 0


def natural_offset(at: int, width: int, layout: Layout, *, packed: bool) -> int:
    """Return the bit where C puts the next member of a struct.

    ``at`` bits are laid out, ``width`` is the member's as a bit-field, else 0.
    """
    if width:
        fits = packed or not layout.size or at % layout.size + width <= layout.size
        return at if fits else round_up(at, layout.align)
    return round_up(at, 8 if packed else layout.align)


def round_up(value: int, to: int) -> int:
    """Return the next multiple."""
    return -(-value // to) * to


def padding(start: int, end: int) -> "Iterator[str]":
    """Fill bits with nameless bit-fields, none of which crosses a unit of its type."""
    if end - start > 1 << 16:
        # more than any alignment explains: one line, not thousands
        whole = (end - start) // 8 * 8
        yield f"char __pad_{start // 8}[{whole // 8}];"
        return
    while start < end:
        for name, unit in _PADDING:
            width = unit - start % unit
            if start + width <= end or unit == 8:
                width = min(width, end - start)
                yield f"{name}: {width};"
                start += width
                break
