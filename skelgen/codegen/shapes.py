"""The looks of a BTF type in Python: as a member, as a value, as an annotation.

The table in ``skelgen.runtime.values.struct`` is what this follows.
"""

from typing import NamedTuple

from skelgen.btf.types import Float, Int
from skelgen.codegen.pretty import Expr, Group


class Shape(NamedTuple):
    """One type, in each of the places where a generated module writes it."""

    size: int
    """Bytes."""
    codec: Expr
    """For keys, values and globals: ``rt.U32``, ``rt.enum(Kind, rt.U32)``."""
    member: Expr
    """For members: the same, but an enumeration is an integer."""
    annotation: str
    """Of a member: ``int``, ``bytes``, ``Event``, ``rt.Array[int]``."""
    given: str
    """Type that a member is assigned from: ``Sequence[int]``, else the annotation."""
    note: str = ""
    """The words of docstrings that the C declaration lacks; they go right behind it."""
    enum: str = ""
    """Class of the enumeration that it holds, in an array or not."""
    signed: bool = False
    """Whether it is a signed integer."""


def _plain(size: int, codec: Expr, annotation: str, note: str = "") -> Shape:
    return Shape(size, codec, codec, annotation, annotation, note)


def scalar(size: int, *, signed: bool, note: str = "") -> Shape:
    """Return an integer of 1, 2, 4 or 8 bytes."""
    codec = f"rt.{'I' if signed else 'U'}{8 * size}"
    return _plain(size, codec, "int", note)._replace(signed=signed)


POINTER = scalar(8, signed=False, note=" (a pointer, seen as an integer)")
CHAR = scalar(1, signed=True)
"""A single ``char``, which BPF has signed."""
_BOOL = _plain(1, "rt.BOOL", "bool")


def raw(size: int, note: str) -> Shape:
    """Return bytes that stand in for a type that the runtime does not have."""
    return _plain(size, Group("rt.Bytes", (str(size),)), "bytes", note)


def integer(type_: Int) -> Shape:
    """Return the shape of ``BTF_KIND_INT``."""
    size = type_.size
    if type_.bool and size == 1:
        return _BOOL
    if size == 16:
        return _plain(16, "rt.I128" if type_.signed else "rt.U128", "int")
    if size not in {1, 2, 4, 8}:
        return raw(size, f" (an integer of {size} bytes, left as bytes)")
    return scalar(size, signed=type_.signed)


def floating(type_: Float) -> Shape:
    """Return the shape of ``BTF_KIND_FLOAT``."""
    size = type_.size
    if size not in {4, 8}:
        return raw(size, f" (a float of {size} bytes, left as bytes)")
    return _plain(size, f"rt.F{8 * size}", "float")


def enumeration(stored: Shape, cls: str) -> Shape:
    """Return the shape of an enumeration that is stored as an integer."""
    return stored._replace(codec=Group("rt.enum", (cls, stored.codec)), enum=cls)


def aggregate(cls: str, size: int) -> Shape:
    """Return the shape of a struct or union that has a class."""
    return _plain(size, Group("rt.struct", (cls,)), cls)


def chars(length: int) -> Shape:
    """Return the shape of a ``char`` array."""
    codec = Group("rt.CString", (str(length),))
    return _plain(length, codec, "bytes", ", cut at the first NUL")


def array(element: Shape, length: int) -> Shape:
    """Return the shape of an array."""
    read, given = element.annotation, element.given
    return Shape(
        element.size * length,
        Group("rt.array", (element.codec, str(length))),
        Group("rt.array", (element.member, str(length))),
        f"rt.Array[{read}]" if given == read else f"rt.Array[{read}, {given}]",
        f"Sequence[{given}]",
        element.note,
        element.enum,
    )
