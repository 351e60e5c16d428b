"""A copy of an object's BTF in words that an older kernel knows.

Numbers of types, offsets of strings and sizes stay as they are, so everything that
refers to a type still does. What replaces what is as in libbpf. A name that moves to
another place has to be good there: kernels check names (Linux 5.0, and the stable
releases of 4.19), and refuse all of the BTF for one.
"""

import re
from struct import pack_into, unpack_from

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.kinds import FLAG_SHIFT, MAX_VLEN, info_word
from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind
from skelgen.runtime.kernel import features

if TYPE_CHECKING:
    from collections.abc import Callable

_INT_1_BYTE = 8
"""``BTF_INT_ENC(0, 0, 8)``: 1 byte is never too big for what it replaces."""
_NAMELESS = "unnamed"
"""Name of enumerators that were parameters without one."""
_no_identifier = re.compile(rb"[^A-Za-z0-9_]").search


class Sanitized(Record):
    """BTF for this kernel."""

    data: bytes
    functions: bool
    """Whether functions are still described."""


def sanitize(data: bytes) -> Sanitized | None:
    """Return BTF for this kernel; ``None`` where it should know all of it as it is.

    ``data`` has no layout section (:func:`skelgen.btf.header.without_layout`).
    """
    btf = Btf(data)
    copy = _Copy(btf)
    for type_id in btf.ids():
        copy.rewrite(type_id)
    if not copy.changed:
        return None
    return Sanitized(bytes(copy.data), _has(features.BTF_FUNC))


def _has(feature: features.Feature) -> bool:
    return feature.supported() is not False


class _Copy:
    """BTF that is being rewritten in place."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self.data = bytearray(btf.raw)
        self.changed = False
        self._order = ">" if btf.byteorder == "big" else "<"
        self._placeholder = 0
        self._nameless = 0
        self._rules: dict[Kind, Callable[[int, int], None]] = {}
        if not _has(features.BTF_DATASEC):
            self._rules[Kind.VAR] = self._to_int
            self._rules[Kind.DATASEC] = self._section_to_struct
        elif not _has(features.BTF_QMARK_DATASEC):
            self._rules[Kind.DATASEC] = self._rename_optional
        if not _has(features.BTF_FUNC):
            self._rules[Kind.FUNC_PROTO] = self._proto_to_enum
            self._rules[Kind.FUNC] = self._func_to_typedef
        elif not _has(features.BTF_GLOBAL_FUNC):
            self._rules[Kind.FUNC] = self._func_to_static
        if not _has(features.BTF_FLOAT):
            self._rules[Kind.FLOAT] = self._float_to_struct
        if not _has(features.BTF_DECL_TAG):
            self._rules[Kind.DECL_TAG] = self._to_int
        if not _has(features.BTF_TYPE_TAG):
            self._rules[Kind.TYPE_TAG] = self._tag_to_const
        if not _has(features.BTF_ENUM64):
            self._rules[Kind.ENUM] = self._drop_sign
            self._rules[Kind.ENUM64] = self._enum64_to_union

    def rewrite(self, type_id: int) -> None:
        """Replace a type if the kernel does not know its kind."""
        rule = self._rules.get(self._btf.kind(type_id))
        if rule is not None:
            rule(type_id, self._btf.offset(type_id))

    def _words(self, at: int, count: int) -> tuple[int, ...]:
        return unpack_from(f"{self._order}{count}I", self.data, at)

    def _put(self, at: int, *words: int) -> None:
        pack_into(f"{self._order}{len(words)}I", self.data, at, *words)
        self.changed = True

    def _info(self, at: int, kind: Kind, vlen: int = 0) -> None:
        self._put(at + 4, info_word(kind, vlen))

    def _vlen(self, at: int) -> int:
        return self._words(at + 4, 1)[0] & MAX_VLEN

    def _to_int(self, _: int, at: int) -> None:
        self._info(at, Kind.INT)
        self._put(at + 8, 1, _INT_1_BYTE)

    def _section_to_struct(self, _: int, at: int) -> None:
        count = self._vlen(at)
        self._clean_name(at)
        self._info(at, Kind.STRUCT, count)
        for place in range(at + 12, at + 12 + 12 * count, 12):
            var, offset = self._words(place, 2)
            described = self._btf.offset(var)
            self._clean_name(described)  # a static variable's may have a dot
            self._put(place, self._words(described, 1)[0], var, offset * 8)

    def _rename_optional(self, type_id: int, at: int) -> None:
        if self._btf.name(type_id).startswith("?"):
            self._clean_name(at, b"?")

    def _clean_name(self, at: int, unwanted: bytes = b"") -> None:
        """Put ``_`` for what an identifier cannot have, or for ``unwanted`` alone."""
        start = self._string_at(self._words(at, 1)[0])
        end = self.data.index(0, start)
        if not unwanted and not _no_identifier(self.data, start, end):
            return
        for index in range(start, end):
            char = self.data[index : index + 1]
            if char in unwanted if unwanted else _no_identifier(char):
                self.data[index] = ord("_")
                self.changed = True

    def _string_at(self, offset: int) -> int:
        length, _, _, strings = self._words(4, 4)
        return length + strings + offset

    def _proto_to_enum(self, _: int, at: int) -> None:
        """Turn parameters into enumerators, each of which needs a name."""
        count = self._vlen(at)
        self._info(at, Kind.ENUM, count)
        self._put(at + 8, 4)  # the size that the kernel insists on
        for place in range(at + 12, at + 12 + 8 * count, 8):
            if not self._words(place, 1)[0]:
                self._put(place, self._nameless_string())

    def _nameless_string(self) -> int:
        """Return a string for what has no name, which is added at the end."""
        if not self._nameless:
            self._nameless = self._append_string(_NAMELESS)
        return self._nameless

    def _append_string(self, text: str) -> int:
        length, _, _, strings, size = self._words(4, 5)
        end = length + strings + size
        self.data[end:end] = text.encode() + b"\0"
        self._put(20, size + len(text) + 1)
        return size

    def _func_to_typedef(self, _: int, at: int) -> None:
        self._clean_name(at)
        self._info(at, Kind.TYPEDEF)

    def _func_to_static(self, _: int, at: int) -> None:
        self._info(at, Kind.FUNC)

    def _float_to_struct(self, _: int, at: int) -> None:
        self._put(at, 0)  # "float" is no name of a struct
        self._info(at, Kind.STRUCT)

    def _tag_to_const(self, _: int, at: int) -> None:
        self._put(at, 0)
        self._info(at, Kind.CONST)

    def _drop_sign(self, _: int, at: int) -> None:
        if self._words(at + 4, 1)[0] >> FLAG_SHIFT:
            self._info(at, Kind.ENUM, self._vlen(at))

    def _enum64_to_union(self, _: int, at: int) -> None:
        """Keep the constants' names, as members of a type of 1 byte."""
        count = self._vlen(at)
        self._info(at, Kind.UNION, count)
        for place in range(at + 12, at + 12 + 12 * count, 12):
            self._put(place + 4, self._one_byte(), 0)

    def _one_byte(self) -> int:
        """Return a type of one byte, which is added at the end."""
        if not self._placeholder:
            self._placeholder = len(self._btf)
            self._append_int("enum64_placeholder")
        return self._placeholder

    def _append_int(self, name: str) -> None:
        string = self._append_string(name)
        length, types, type_size, strings = self._words(4, 4)
        record = bytearray(16)
        info = info_word(Kind.INT)
        pack_into(f"{self._order}4I", record, 0, string, info, 1, _INT_1_BYTE)
        at = length + types + type_size
        self.data[at:at] = record
        self._put(12, type_size + 16, strings + 16)
