"""BTF changed in place: type numbers and string offsets stay what they were."""

from builtins import bytes as _bytes  # a method is called bytes
from struct import pack_into, unpack_from

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.build import BtfBuilder
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import (
    EXTRA_WORDS,
    KIND_SHIFT,
    MAX_KIND,
    MAX_VLEN,
    ROWS,
    Kind,
    Row,
    info_word,
)
from skelgen.btf.parse import Btf

if TYPE_CHECKING:
    from collections.abc import Sequence


class BtfEditor(BtfBuilder):
    """A copy of some BTF, to be patched and extended with ``add_*``.

    Raises :class:`BtfParseError` for BTF that is broken or whose header says what
    skelgen does not know, ``ValueError`` for a change that the type does not allow.
    """

    def __init__(
        self, data: _bytes | bytearray | memoryview, *, base: Btf | None = None
    ) -> None:
        btf = Btf(data, base=base)
        if btf.header_extra:
            raise BtfParseError("btf: has a header too new to be edited", 24)
        super().__init__(btf.byteorder, base=base)
        self._types = bytearray(btf.type_bytes)
        self._strings = bytearray(btf.string_bytes)
        self._layout = btf.own_layout
        self._positions = [4 * btf.record(type_id)[0] for type_id in btf.ids()]
        self._next_id = len(btf)

    def add_string(self, text: str | _bytes) -> int:
        """Return the offset of a string, which is stored if it is not there yet."""
        raw = text if isinstance(text, bytes) else text.encode()
        if raw and raw not in self._known:
            place = self._strings.find(b"\0" + raw + b"\0")
            if place >= 0:
                self._known[raw] = self._start_string + place + 1
        return super().add_string(raw)

    # Words of a record

    def _word(self, position: int) -> int:
        (word,) = unpack_from(self._prefix + "I", self._types, position)
        return int(word)

    def _set_word(self, position: int, value: int) -> None:
        if not 0 <= value <= 0xFFFFFFFF:
            raise ValueError(f"{value} does not fit 32 bits")
        pack_into(self._prefix + "I", self._types, position, value)

    def _position(self, type_id: int) -> int:
        index = type_id - (self._next_id - len(self._positions))
        if not 0 <= index < len(self._positions):
            raise ValueError(f"no type {type_id} to edit here")
        return self._positions[index]

    def _record(self, type_id: int) -> tuple[int, Kind, int]:
        """Return byte position, kind and vlen."""
        position = self._position(type_id)
        info = self._word(position + 4)
        number = info >> KIND_SHIFT & MAX_KIND
        kind = Kind(number) if number < len(EXTRA_WORDS) else Kind.UNKNOWN
        return position, kind, info & MAX_VLEN

    def _element(self, type_id: int, kind: Kind, index: int, words: int) -> int:
        """Return the byte position of one of the ``vlen`` elements."""
        position, found, vlen = self._record(type_id)
        if found is not kind:
            raise ValueError(f"type {type_id} is a {found.name}, no {kind.name}")
        if not 0 <= index < vlen:
            raise ValueError(f"type {type_id}: no element {index} of {vlen}")
        return position + 12 + 4 * words * index

    # Changes

    def set_name(self, type_id: int, name: str) -> None:
        """Rename a type."""
        self._set_word(self._position(type_id), self.add_string(name))

    def set_size(self, type_id: int, size: int) -> None:
        """Set the size that an int, struct, union, enum, float or section states."""
        position, kind, _ = self._record(type_id)
        if _row(kind).third != "size":
            raise ValueError(f"type {type_id} is a {kind.name}, which states no size")
        self._set_word(position + 8, size)

    def set_type(self, type_id: int, target: int) -> None:
        """Set what a pointer, modifier, typedef, function, variable or tag refers to."""
        position, kind, _ = self._record(type_id)
        if _row(kind).third != "type":
            raise ValueError(f"type {type_id} is a {kind.name}, which has no such type")
        self._set_word(position + 8, target)

    def set_linkage(self, type_id: int, linkage: int) -> None:
        """Set the linkage of a variable or function: 0 static, 1 global, 2 extern."""
        position, kind, _ = self._record(type_id)
        if kind is Kind.VAR:
            self._set_word(position + 12, linkage)
        elif kind is Kind.FUNC and 0 <= linkage <= MAX_VLEN:
            info = self._word(position + 4)
            self._set_word(position + 4, info & ~MAX_VLEN | linkage)
        else:
            raise ValueError(f"type {type_id} is a {kind.name}, linkage {linkage}")

    def set_param_name(self, type_id: int, index: int, name: str) -> None:
        """Name a parameter of a prototype."""
        place = self._element(type_id, Kind.FUNC_PROTO, index, 2)
        self._set_word(place, self.add_string(name))

    def set_datasec_var(
        self,
        section_id: int,
        index: int,
        *,
        type_id: int | None = None,
        offset: int | None = None,
        size: int | None = None,
    ) -> None:
        """Change which variable of a section lies where; ``None`` leaves as it is."""
        place = self._element(section_id, Kind.DATASEC, index, 3)
        for word, value in enumerate((type_id, offset, size)):
            if value is not None:
                self._set_word(place + 4 * word, value)

    def reorder_datasec_vars(
        self, type_id: int, order: "Sequence[int] | None" = None
    ) -> None:
        """Put the variables of a section in another order: by offset if none is given.

        ``order`` lists the present indices, each once.
        """
        position, kind, vlen = self._record(type_id)
        if kind is not Kind.DATASEC:
            raise ValueError(f"type {type_id} is a {kind.name}, no DATASEC")
        start = position + 12
        places = [
            self._types[start + 12 * index : start + 12 * index + 12]
            for index in range(vlen)
        ]
        if order is None:
            order = sorted(
                range(vlen), key=lambda index: self._word(start + 12 * index + 4)
            )
        elif sorted(order) != list(range(vlen)):
            raise ValueError(f"type {type_id}: order names not each variable once")
        self._types[start : start + 12 * vlen] = b"".join(
            places[index] for index in order
        )

    def set_kind(
        self, type_id: int, kind: Kind, *, vlen: int = 0, kflag: bool = False
    ) -> None:
        """Turn a type into one of another kind whose record is as long.

        What else is in the record stays; see :meth:`set_third`, :meth:`set_payload`.
        """
        position, old, old_vlen = self._record(type_id)
        if not 0 <= vlen <= MAX_VLEN:
            raise ValueError(f"type {type_id}: {vlen} elements are too many")
        before, after = EXTRA_WORDS[old], EXTRA_WORDS[kind]
        if before[0] + before[1] * old_vlen != after[0] + after[1] * vlen:
            raise ValueError(
                f"type {type_id}: a {old.name} of {old_vlen} and"
                f" a {kind.name} of {vlen} differ in length"
            )
        self._set_word(position + 4, info_word(kind, vlen, kflag=kflag))

    def set_third(self, type_id: int, value: int) -> None:
        """Set the third word of ``struct btf_type``, be it a size or a type."""
        self._set_word(self._position(type_id) + 8, value)

    def set_payload(self, type_id: int, words: "Sequence[int]") -> None:
        """Replace what follows ``struct btf_type``, word for word."""
        position, kind, vlen = self._record(type_id)
        once, each = EXTRA_WORDS[kind]
        if kind is Kind.UNKNOWN or len(words) != once + each * vlen:
            raise ValueError(f"type {type_id}: {len(words)} words do not fit")
        for index, word in enumerate(words):
            self._set_word(position + 12 + 4 * index, word)


def _row(kind: Kind) -> Row:
    return ROWS.get(kind, Row())
