"""Through typedefs and modifiers to sizes and alignments, as C has them.

BTF may be circular or nested without end: every walk here ends, with a
:class:`BtfParseError` where C has no answer.
"""

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import MODIFIERS, Kind
from skelgen.btf.types import (
    Array,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Float,
    Int,
    Ptr,
    Restrict,
    Struct,
    Typedef,
    TypeTag,
    Union,
    Var,
    Volatile,
)

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf

POINTER_SIZE = 8
"""Bytes of a pointer in BPF programs."""
MAX_SIZE = 0xFFFFFFFF
"""The kernel's limit to the size of a type, in bytes."""
MAX_CHAIN = 256
"""Typedefs, modifiers and dimensions in a row; the kernel follows 32."""
MAX_NESTING = 64
"""Structs within structs, by value."""

_SKIPPED = MODIFIERS | {Kind.TYPEDEF}
_ALIASES = (Typedef, Volatile, Const, Restrict, TypeTag, Var, DeclTag)
_SCALARS = (Int, Enum, Enum64, Float)


def skip_mods_and_typedefs(btf: "Btf", type_id: int) -> int:
    """Follow typedefs, const, volatile, restrict and type tags to the type behind."""
    return _skip(btf, type_id, _SKIPPED)


def skip_mods(btf: "Btf", type_id: int) -> int:
    """Follow const, volatile, restrict and type tags, not typedefs."""
    return _skip(btf, type_id, MODIFIERS)


def _skip(btf: "Btf", type_id: int, kinds: frozenset[Kind]) -> int:
    current = type_id
    for _ in range(MAX_CHAIN):
        if btf.kind(current) not in kinds:
            return current
        current = btf.ref(current)
    raise BtfParseError(
        f"btf: type {type_id} is a typedef or modifier of itself, or of too many types"
    )


def size_of(btf: "Btf", type_id: int, pointer_size: int = POINTER_SIZE) -> int:
    """Return ``sizeof`` of a type, or of a variable's type, in bytes.

    Raises :class:`BtfParseError` for what has no size (``void``, functions, structs
    that are not defined), for what consists of itself, for chains of more than
    :data:`MAX_CHAIN` types and for more than 4 GB.
    """
    nelems = 1
    current = type_id
    for _ in range(MAX_CHAIN):
        found = btf.type(current)
        if isinstance(found, Array):
            nelems *= found.nelems
            if nelems > MAX_SIZE:
                break
            current = found.type_id
            continue
        if isinstance(found, _ALIASES):
            current = found.type_id
            continue
        if isinstance(found, Ptr):
            size = pointer_size
        elif isinstance(found, (*_SCALARS, Struct, Union, Datasec)):
            size = found.size
        else:
            raise BtfParseError(
                f"btf: type {type_id} has no size:"
                f" type {current} is a {btf.kind(current).name}"
            )
        if size * nelems > MAX_SIZE:
            break
        return size * nelems
    else:
        raise BtfParseError(
            f"btf: type {type_id} consists of itself, or of too many types"
        )
    raise BtfParseError(f"btf: type {type_id} is larger than 4 GB")


def align_of(btf: "Btf", type_id: int, pointer_size: int = POINTER_SIZE) -> int:
    """Return the alignment of a type in bytes, as libbpf derives it.

    A struct with a member off its natural alignment, or whose size is no multiple of
    it, is packed: 1. Raises :class:`BtfParseError` as :func:`size_of` does.
    """
    return _align_of(btf, type_id, pointer_size, 0)


def _align_of(btf: "Btf", type_id: int, pointer_size: int, depth: int) -> int:
    current = type_id
    for _ in range(MAX_CHAIN):
        found = btf.type(current)
        if isinstance(found, (Array, *_ALIASES)):
            current = found.type_id
        elif isinstance(found, Ptr):
            return pointer_size
        elif isinstance(found, _SCALARS):
            return min(pointer_size, found.size) or 1
        elif isinstance(found, (Struct, Union)):
            return _struct_align(btf, found, pointer_size, depth)
        else:
            raise BtfParseError(
                f"btf: type {type_id} has no alignment:"
                f" type {current} is a {btf.kind(current).name}"
            )
    raise BtfParseError(f"btf: type {type_id} consists of itself, or of too many types")


def _struct_align(
    btf: "Btf", struct: Struct | Union, pointer_size: int, depth: int
) -> int:
    key = (struct.id, pointer_size)
    known = btf.align_cache.get(key)
    if known is not None:
        return known
    if depth > MAX_NESTING:
        raise BtfParseError(
            f"btf: structs are nested more than {MAX_NESTING} deep at type {struct.id}"
        )
    align = 1
    packed = False
    for member in struct.members:
        member_align = _align_of(btf, member.type_id, pointer_size, depth + 1)
        align = max(align, member_align)
        if not member.bitfield_size and member.bit_offset % (8 * member_align):
            packed = True
    if packed or struct.size % align:
        align = 1
    btf.align_cache[key] = align
    return align
