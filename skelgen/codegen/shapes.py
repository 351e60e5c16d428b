"""What a BTF type looks like in Python: as a member, as a value, as an annotation.

The table in ``skelgen.runtime.values.struct`` is what this follows.
"""

from typing import NamedTuple

from skelgen.btf.types import Float, Int
from skelgen.codegen.pretty import Expr, Group

_BITS = {1: "8", 2: "16", 4: "32", 8: "64"}


class Shape(NamedTuple):
    """One type, in each of the places where a generated module writes it."""

    size: int
    """Bytes."""
    align: int
    """As ctypes aligns it on a 64-bit machine, in bytes."""
    ctype: Expr | None
    """In ``_fields_``: ``ctypes.c_uint32``, ``Event``, ``ctypes.c_char * 16``; None
    for what ctypes does not have."""
    codec: Expr
    """For keys, values and globals: ``rt.U32``, ``rt.struct(Event)``."""
    annotation: str
    """Of a member: ``int``, ``bytes``, ``Event``, ``rt.Array[int]``."""
    parameter: str
    """Of a constructor's argument: as ``annotation``, but ``Sequence[int]``."""
    default: str
    """Of that argument."""
    note: str = ""
    """What the C declaration does not say, for docstrings, to go right behind it."""
    enum: str = ""
    """Class of the enumeration that it holds, in an array or not."""


def scalar(size: int, *, signed: bool, note: str = "") -> Shape:
    """Return an integer of 1, 2, 4 or 8 bytes."""
    bits = _BITS[size]
    ctype = f"ctypes.c_int{bits}" if signed else f"ctypes.c_uint{bits}"
    codec = f"rt.I{bits}" if signed else f"rt.U{bits}"
    return Shape(size, size, ctype, codec, "int", "int", "0", note)


POINTER = scalar(8, signed=False, note=" (a pointer, seen as an integer)")
CHAR = scalar(1, signed=True)
"""A single ``char``, which BPF has signed."""
_BOOL = Shape(1, 1, "ctypes.c_bool", "rt.BOOL", "bool", "bool", "False")


def raw(size: int, note: str) -> Shape:
    """Return bytes that stand in for a type that the runtime does not have."""
    codec = Group("rt.Bytes", (str(size),))
    return Shape(size, 1, None, codec, "bytes", "bytes", 'b""', note)


def integer(type_: Int) -> Shape:
    """Return the shape of ``BTF_KIND_INT``."""
    size = type_.size
    if type_.bool and size == 1:
        return _BOOL
    if size == 16:
        codec = "rt.I128" if type_.signed else "rt.U128"
        return Shape(16, 1, None, codec, "int", "int", "0")
    if size not in _BITS:
        return raw(size, f" (an integer of {size} bytes, left as bytes)")
    return scalar(size, signed=type_.signed)


def floating(type_: Float) -> Shape:
    """Return the shape of ``BTF_KIND_FLOAT``."""
    size = type_.size
    if size == 4:
        return Shape(4, 4, "ctypes.c_float", "rt.F32", "float", "float", "0.0")
    if size == 8:
        return Shape(8, 8, "ctypes.c_double", "rt.F64", "float", "float", "0.0")
    return raw(size, f" (a float of {size} bytes, left as bytes)")


def enumeration(stored: Shape, cls: str) -> Shape:
    """Return the shape of an enumeration that is stored as an integer."""
    return stored._replace(codec=Group("rt.enum", (cls, stored.codec)), enum=cls)


def aggregate(cls: str, size: int, align: int) -> Shape:
    """Return the shape of a struct or union that has a class."""
    codec = Group("rt.struct", (cls,))
    return Shape(size, align, cls, codec, cls, f"{cls} | None", "None")


def chars(length: int) -> Shape:
    """Return the shape of a ``char`` array."""
    codec = Group("rt.CString", (str(length),))
    ctype = f"ctypes.c_char * {length}"
    note = ", cut at the first NUL"
    return Shape(length, 1, ctype, codec, "bytes", "bytes", 'b""', note)


def array(element: Shape, length: int) -> Shape:
    """Return the shape of an array."""
    ctype = element.ctype
    parameter = element.parameter.removesuffix(" | None")
    return Shape(
        element.size * length,
        element.align,
        None if ctype is None else Group("rt.array_type", (ctype, str(length))),
        Group("rt.array", (element.codec, str(length))),
        f"rt.Array[{element.annotation}]",
        f"Sequence[{parameter}]",
        "()",
        element.note,
        element.enum,
    )
