"""The context of each program type: which struct it is, and what is where in it."""

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.resolve import size_of, skip_mods_and_typedefs
from skelgen.btf.types import Array, Struct, Union

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf

_DEPTH = 16


def member_at(btf: "Btf", struct_id: int, offset: int) -> tuple[str, int, int] | None:
    """Return name, offset and size of the innermost member at a byte of a struct.

    ``("cb[1]", 52, 4)``; ``None`` between members and behind the end.
    """
    try:
        return _member(btf, struct_id, offset, 0, 0)
    except BtfParseError:
        return None


def _member(  # noqa: PLR0911 - one way out for each kind of type
    btf: "Btf", type_id: int, wanted: int, base: int, depth: int
) -> tuple[str, int, int] | None:
    found = btf.type(skip_mods_and_typedefs(btf, type_id))
    if depth > _DEPTH:
        return None
    if isinstance(found, Array):
        size = size_of(btf, found.type_id)
        index = (wanted - base) // size if size else 0
        if not 0 <= index < found.nelems:
            return None
        start = base + index * size
        inner = _member(btf, found.type_id, wanted, start, depth + 1)
        if inner is None:
            return f"[{index}]", start, size
        return f"[{index}]{_dot(inner[0])}", inner[1], inner[2]
    if not isinstance(found, Struct | Union):
        return None
    for member in found.members:
        start = base + member.bit_offset // 8
        size = size_of(btf, member.type_id)
        if not start <= wanted < start + size:
            continue
        inner = _member(btf, member.type_id, wanted, start, depth + 1)
        if inner is not None:
            return f"{member.name}{_dot(inner[0])}".lstrip("."), inner[1], inner[2]
        if member.name:
            return member.name, start, size
    return None


def _dot(name: str) -> str:
    return name if name.startswith("[") else f".{name}"
