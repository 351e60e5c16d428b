"""``BTF_KIND_*`` and the shape of a type record (``linux/btf.h``)."""

from enum import IntEnum

MAGIC = 0xEB9F
"""``BTF_MAGIC``: first half word of BTF and of BTF.ext."""
VERSION = 1
"""``BTF_VERSION``."""
MAX_VLEN = 0xFFFFFF
"""``BTF_MAX_VLEN``; 0xffff before Linux 7.0."""


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


# Words behind the three of struct btf_type: once, and for each of vlen elements.
EXTRA_WORDS: tuple[tuple[int, int], ...] = (
    (0, 0),  # VOID is never stored
    (1, 0),  # INT
    (0, 0),  # PTR
    (3, 0),  # ARRAY
    (0, 3),  # STRUCT
    (0, 3),  # UNION
    (0, 2),  # ENUM
    (0, 0),  # FWD
    (0, 0),  # TYPEDEF
    (0, 0),  # VOLATILE
    (0, 0),  # CONST
    (0, 0),  # RESTRICT
    (0, 0),  # FUNC
    (0, 2),  # FUNC_PROTO
    (1, 0),  # VAR
    (0, 3),  # DATASEC
    (0, 0),  # FLOAT
    (1, 0),  # DECL_TAG
    (0, 0),  # TYPE_TAG
    (0, 3),  # ENUM64
)
