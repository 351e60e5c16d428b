"""BTF taken apart into types with names and elements, and put together again.

Strings keep their offsets, for BTF.ext refers to them; new ones go to the end.
"""

import struct
from dataclasses import dataclass

KINDS = 19
"""``BTF_KIND_ENUM64``, the last one."""

# words behind the three of a record, once and for each element; see linux/btf.h
_ONCE = {1: 1, 3: 3, 14: 1, 17: 1}
EACH = {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}
"""Kinds with elements, and the words of each."""
NAMED_ELEMENTS = frozenset({4, 5, 6, 13, 19})
"""Kinds whose elements begin with a name."""
REFERENCES = {4: 1, 5: 1, 13: 1, 15: 0}
"""Which word of an element is a type."""
THIRD_IS_TYPE = frozenset({2, 8, 9, 10, 11, 12, 13, 14, 17, 18})
"""Kinds whose third word is a type, and no size."""


@dataclass
class Type:
    """A type; names are offsets of strings."""

    name: int
    kind: int
    flag: bool
    vlen: int
    """Linkage of a function; elsewhere written from the elements."""
    third: int
    once: list[int]
    elements: list[list[int]]


@dataclass
class Btf:
    """All types, from number 1 on, and the strings."""

    prefix: str
    types: list[Type]
    strings: bytearray

    def string(self, text: bytes) -> int:
        """Add a string; return its offset."""
        at = len(self.strings)
        self.strings += text.replace(b"\0", b"") + b"\0"
        return at

    def text(self, offset: int) -> bytes:
        """Return a string; nothing where there is none."""
        return bytes(self.strings[offset:].partition(b"\0")[0])


def parse(data: bytes, prefix: str) -> Btf:
    """Take BTF apart that a compiler wrote."""
    length, type_off, type_len, str_off, str_len = struct.unpack_from(
        f"{prefix}5I", data, 4
    )
    start = length + type_off
    words = struct.unpack_from(f"{prefix}{type_len // 4}I", data, start)
    types: list[Type] = []
    at = 0
    while at < len(words):
        name, info, third = words[at : at + 3]
        at += 3
        kind, vlen = info >> 24 & 0x7F, info & 0xFFFFFF
        once = _ONCE.get(kind, 0)
        each = EACH.get(kind, 0)
        elements = [
            list(words[at + once + each * n : at + once + each * (n + 1)])
            for n in range(vlen if each else 0)
        ]
        types.append(
            Type(
                name, kind, bool(info >> 31), vlen, third,
                list(words[at : at + once]), elements,
            )
        )  # fmt: skip
        at += once + each * len(elements)
    strings = data[length + str_off : length + str_off + str_len]
    return Btf(prefix, types, bytearray(strings))


def shape(type_: Type, kind: int) -> None:
    """Make a record one of another kind, with as many words as that has."""
    type_.kind = kind
    type_.once = (type_.once + [0] * 3)[: _ONCE.get(kind, 0)]
    each = EACH.get(kind, 0)
    type_.elements = [(element + [0] * 3)[:each] for element in type_.elements if each]


def build(btf: Btf) -> bytes:
    """Put BTF together."""
    words: list[int] = []
    for type_ in btf.types:
        vlen = len(type_.elements) if type_.kind in EACH else type_.vlen
        words += (
            type_.name,
            int(type_.flag) << 31 | (type_.kind & 0x7F) << 24 | vlen & 0xFFFFFF,
            type_.third,
            *type_.once,
        )
        for element in type_.elements:
            words += element
    body = struct.pack(
        f"{btf.prefix}{len(words)}I", *(word & 0xFFFFFFFF for word in words)
    )
    return (
        struct.pack(
            f"{btf.prefix}HBBI4I",
            0xEB9F, 1, 0, 24, 0, len(body), len(body), len(btf.strings),
        )
        + body
        + bytes(btf.strings)
    )  # fmt: skip
