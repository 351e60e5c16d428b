"""``BTF_KIND_*`` and the shape of a type record (``linux/btf.h``)."""

from enum import IntEnum

from skelgen._record import Record

MAGIC = 0xEB9F
"""``BTF_MAGIC``: first half word of BTF and of BTF.ext."""
VERSION = 1
"""``BTF_VERSION``."""
# the info word of a record: vlen, kind, kind_flag
MAX_VLEN = 0xFFFFFF
"""``BTF_MAX_VLEN``: bits 0 to 23; 0xffff before Linux 7.2, with zeros above."""
KIND_SHIFT = 24
MAX_KIND = 0x7F
"""``BTF_MAX_KIND``: bits 24 to 30; 0x1f before Linux 7.2, with zeros above."""
FLAG_SHIFT = 31


class Kind(IntEnum):
    """``BTF_KIND_*``."""

    UNKNOWN = -1
    """Newer than this skelgen; only its length is known, from the layout section."""
    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


class Row(Record):
    """The words of a kind's record, by the names of ``linux/btf.h``.

    ``name`` is an offset of a string, ``type`` and ``index_type`` are numbers of types.
    """

    third: str = ""
    """Third word of ``struct btf_type``: ``size``, ``type`` or unused."""
    once: str = ""
    """Words behind ``struct btf_type``."""
    each: str = ""
    """Words for each of ``vlen`` elements, behind those."""
    named: bool = True
    """Whether such a type may have a name."""
    linked: bool = False
    """Whether the kernel's linker knows the name: functions, most of all."""
    modifier: bool = False
    """Whether it only says how the type that it refers to is used."""
    whole: bool = False
    """Whether it consists of the types that it refers to, or of an array's elements."""


def info_word(kind: int, vlen: int = 0, *, kflag: bool = False) -> int:
    """Return the ``info`` of ``struct btf_type``."""
    return kflag << FLAG_SHIFT | kind << KIND_SHIFT | vlen


ROWS: dict[Kind, Row] = {
    Kind.VOID: Row(named=False),
    Kind.INT: Row("size", once="encoding"),
    Kind.PTR: Row("type", named=False),
    Kind.ARRAY: Row(once="type index_type nelems", named=False, whole=True),
    Kind.STRUCT: Row("size", each="name type offset", whole=True),
    Kind.UNION: Row("size", each="name type offset", whole=True),
    Kind.ENUM: Row("size", each="name value"),
    Kind.FWD: Row(),
    Kind.TYPEDEF: Row("type", whole=True),
    Kind.VOLATILE: Row("type", named=False, modifier=True, whole=True),
    Kind.CONST: Row("type", named=False, modifier=True, whole=True),
    Kind.RESTRICT: Row("type", named=False, modifier=True, whole=True),
    Kind.FUNC: Row("type", linked=True),
    Kind.FUNC_PROTO: Row("type", each="name type", named=False),
    Kind.VAR: Row("type", once="linkage", linked=True, whole=True),
    Kind.DATASEC: Row("size", each="type offset size"),
    Kind.FLOAT: Row("size"),
    Kind.DECL_TAG: Row("type", once="component_idx"),
    Kind.TYPE_TAG: Row("type", modifier=True, whole=True),
    Kind.ENUM64: Row("size", each="name low high"),
}
"""Every kind by its number; whatever reads or writes records goes by its row."""

EXTRA_WORDS = tuple(
    (len(row.once.split()), len(row.each.split())) for row in ROWS.values()
)
"""Words behind the three of ``struct btf_type``: once, and for each element."""
REFERENCES = frozenset(kind for kind, row in ROWS.items() if row.third == "type")
"""Kinds whose third word refers to a type."""
MODIFIERS = frozenset(kind for kind, row in ROWS.items() if row.modifier)
ENUMS = frozenset({Kind.ENUM, Kind.ENUM64})
DEFINITIONS = (Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.TYPEDEF)
"""Kinds that C defines by a name."""
