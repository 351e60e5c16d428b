"""BTF of Rust, C++ and Zig as C would have it.

They name types ``Pair<u32, u64>`` and members ``field one``, and name pointers at all;
rustc changes the order of members, and clang has no type for the base of a C++ class.
The kernel refuses all of the BTF for one of these (names since Linux 5.0), and then
maps have no types. Numbers of types and offsets of strings stay as they are; new names
come behind the old strings.
"""

import re
from struct import pack, pack_into, unpack_from

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.c_name import c_name
from skelgen.btf.kinds import FLAG_SHIFT, MAX_VLEN, ROWS, Kind, info_word
from skelgen.btf.parse import Btf

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 127
"""``KSYM_NAME_LEN`` without the NUL, before Linux 6.1."""
_NAMELESS = frozenset(kind for kind, row in ROWS.items() if not row.named)
_PARTS = {
    kind: 4 * len(row.each.split())
    for kind, row in ROWS.items()
    if row.each.startswith("name")
}
"""Bytes of a member, enumerator or parameter; its name is the first word."""
_with_dots = re.compile(r"[A-Za-z_.][A-Za-z0-9_.]*").fullmatch
_foreign = re.compile(r"[^A-Za-z0-9_.?]").sub


def adapt(data: bytes) -> bytes | None:
    """Return BTF with what every kernel takes; ``None`` where it has no other.

    ``data`` has no layout section (:func:`skelgen.btf.header.without_layout`).
    """
    copy = _Copy(data)
    copy.types()
    return copy.whole()


def _identifier(name: str) -> str:
    return c_name(name, _LONGEST)


def _variable(name: str) -> str:
    """Keep dots, which static variables of functions have."""
    fits = _with_dots(name) and len(name) <= _LONGEST
    return name if fits else _identifier(name)


def _section(name: str) -> str:
    return _foreign("_", name)[:_LONGEST]


_NAMED = (
    Kind.FWD,
    Kind.TYPEDEF,
    Kind.STRUCT,
    Kind.UNION,
    Kind.ENUM,
    Kind.ENUM64,
    Kind.FUNC,
)
_RULES: "dict[Kind, Callable[[str], str]]" = {
    **dict.fromkeys(_NAMED, _identifier),
    Kind.VAR: _variable,
    Kind.DATASEC: _section,
}


class _Copy:
    """BTF that is being rewritten."""

    def __init__(self, data: bytes) -> None:
        self._btf = Btf(data)
        self._old = data
        self._data = bytearray(data)
        self._order = ">" if self._btf.byteorder == "big" else "<"
        length, _, _, strings, self._size = self._words(4, 5)
        self._strings = length + strings
        self._new = bytearray()
        self._known: dict[tuple[int, Callable[[str], str]], int] = {}
        self._places: dict[int, list[int]] = {}
        self._placeholder = 0
        self._byte = 0
        self._changed = False

    def types(self) -> None:
        """Go through all types."""
        btf = self._btf
        tags: list[int] = []
        for type_id in btf.ids():
            kind, at = btf.kind(type_id), btf.offset(type_id)
            rule = _RULES.get(kind)
            if rule is not None:
                self._clean(at, rule)
            elif kind in _NAMELESS:
                self._set(at, 0)
            elif kind is Kind.DECL_TAG:
                tags.append(at)
            size = _PARTS.get(kind)
            if size is not None:
                count = self._words(at + 4, 1)[0] & MAX_VLEN
                for place in range(at + 12, at + 12 + size * count, size):
                    self._clean(place, _identifier)
                if kind is Kind.STRUCT or kind is Kind.UNION:
                    self._members(type_id, at, count)
        for at in tags:
            self._tag(at)

    def _members(self, type_id: int, at: int, count: int) -> None:
        """Bring the members of a struct into order, each with a type."""
        places = range(at + 12, at + 12 + 12 * count, 12)
        for place in places:
            if not self._words(place + 4, 1)[0]:
                self._set(place + 4, self._one_byte())
        kflag = self._words(at + 4, 1)[0] >> FLAG_SHIFT
        mask = 0xFFFFFF if kflag else 0xFFFFFFFF
        offsets = [self._words(place + 8, 1)[0] & mask for place in places]
        order = sorted(range(count), key=offsets.__getitem__)
        if order == list(range(count)):
            return
        self._places[type_id] = sorted(range(count), key=order.__getitem__)
        old = [bytes(self._data[place : place + 12]) for place in places]
        for place, index in zip(places, order, strict=True):
            self._data[place : place + 12] = old[index]
        self._changed = True

    def _tag(self, at: int) -> None:
        """Let a tag stay with its member."""
        target, index = self._words(at + 8, 2)
        places = self._places.get(target)
        if places is not None and index < len(places):
            self._set(at + 12, places[index])

    def _one_byte(self) -> int:
        """Return a type of one byte, which is added at the end."""
        if not self._placeholder:
            self._placeholder = len(self._btf)
            self._byte = self._append("c_byte")
        return self._placeholder

    def whole(self) -> bytes | None:
        """Return what came of it."""
        if not self._changed:
            return None
        end = self._strings + self._size
        self._data[end:end] = self._new
        pack_into(f"{self._order}I", self._data, 20, self._size + len(self._new))
        if self._placeholder:
            info = info_word(Kind.INT)
            record = pack(f"{self._order}4I", self._byte, info, 1, 8)
            length, types, size, strings = self._words(4, 4)
            at = length + types + size
            self._data[at:at] = record
            pack_into(f"{self._order}2I", self._data, 12, size + 16, strings + 16)
        return bytes(self._data)

    def _words(self, at: int, count: int) -> tuple[int, ...]:
        return unpack_from(f"{self._order}{count}I", self._old, at)

    def _set(self, at: int, string: int) -> None:
        if self._words(at, 1)[0] != string:
            pack_into(f"{self._order}I", self._data, at, string)
            self._changed = True

    def _clean(self, at: int, rule: "Callable[[str], str]") -> None:
        """Give a name that does not fit another string."""
        (offset,) = self._words(at, 1)
        if not offset or offset >= self._size:
            return  # nameless, or of a base
        string = self._known.get((offset, rule))
        if string is None:
            start = self._strings + offset
            # longer ones are refused, and hostile ones may all be tails of one
            raw = self._old[start : start + _LONGEST + 1].partition(b"\0")[0]
            name = raw.decode("utf-8", "replace")
            fit = rule(name)
            string = offset if fit == name else self._append(fit)
            self._known[offset, rule] = string
        self._set(at, string)

    def _append(self, name: str) -> int:
        string = self._size + len(self._new)
        self._new += name.encode() + b"\0"
        return string
