"""BTF types, decoded: one named tuple a kind.

Field names follow ``linux/btf.h``; ``id`` is the type's own number, ``type_id`` the
number of the type that it refers to (0 is ``void``), sizes are in bytes and bit
offsets in bits. ``name`` is ``""`` for an anonymous type.
"""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.kinds import Kind as Kind  # noqa: PLC0414 - part of this vocabulary

if TYPE_CHECKING:
    from typing import TypeAlias

_Flag: TypeAlias = bool  # a field is called bool


class Void(Record):
    """Type 0: ``void``."""

    id: int = 0
    name: str = ""


class Int(Record):
    """``BTF_KIND_INT``."""

    id: int
    name: str
    size: int
    signed: _Flag
    char: _Flag
    bool: _Flag
    bits: int
    """Width of the value; less than ``8 * size`` in old BTF of bit-fields only."""
    bit_offset: int = 0
    """Where the value starts, in old BTF of bit-fields."""


class Ptr(Record):
    """``BTF_KIND_PTR``."""

    id: int
    type_id: int


class Array(Record):
    """``BTF_KIND_ARRAY``: one dimension."""

    id: int
    type_id: int
    """Type of an element."""
    index_type_id: int
    nelems: int
    """Number of elements; 0 for a flexible array too."""


class Member(Record):
    """A member of a struct or union."""

    name: str
    """Empty for an anonymous struct or union."""
    type_id: int
    bit_offset: int
    """From the start of the struct, in bits."""
    bitfield_size: int = 0
    """Width in bits of a bit-field, else 0."""


class Struct(Record):
    """``BTF_KIND_STRUCT``."""

    id: int
    name: str
    size: int
    members: tuple[Member, ...]
    kflag: bool = False
    """Whether members are encoded with bit-field sizes."""


class Union(Record):
    """``BTF_KIND_UNION``."""

    id: int
    name: str
    size: int
    members: tuple[Member, ...]
    kflag: bool = False
    """Whether members are encoded with bit-field sizes."""


class Enumerator(Record):
    """A constant of an enumeration."""

    name: str
    value: int


class Enum(Record):
    """``BTF_KIND_ENUM``: constants of 32 bits."""

    id: int
    name: str
    size: int
    signed: bool
    """As the BTF says; compilers before clang 16 never set it."""
    values: tuple[Enumerator, ...]


class Enum64(Record):
    """``BTF_KIND_ENUM64``: constants of 64 bits (Linux 6.0)."""

    id: int
    name: str
    size: int
    signed: bool
    values: tuple[Enumerator, ...]


class Fwd(Record):
    """``BTF_KIND_FWD``: a struct or union that is declared and not defined."""

    id: int
    name: str
    union: bool


class Typedef(Record):
    """``BTF_KIND_TYPEDEF``."""

    id: int
    name: str
    type_id: int


class Volatile(Record):
    """``BTF_KIND_VOLATILE``."""

    id: int
    type_id: int


class Const(Record):
    """``BTF_KIND_CONST``."""

    id: int
    type_id: int


class Restrict(Record):
    """``BTF_KIND_RESTRICT``."""

    id: int
    type_id: int


class Func(Record):
    """``BTF_KIND_FUNC``."""

    id: int
    name: str
    type_id: int
    """Its ``FUNC_PROTO``."""
    linkage: int
    """``BTF_FUNC_*``: 0 static, 1 global, 2 extern."""


class Param(Record):
    """A parameter; the last one of a variadic function has no name and type 0."""

    name: str
    type_id: int


class FuncProto(Record):
    """``BTF_KIND_FUNC_PROTO``."""

    id: int
    type_id: int
    """Type that it returns."""
    params: tuple[Param, ...]


class Var(Record):
    """``BTF_KIND_VAR``."""

    id: int
    name: str
    type_id: int
    linkage: int
    """``BTF_VAR_*``: 0 static, 1 global, 2 extern."""


class VarSecinfo(Record):
    """A variable's place in a ``DATASEC``."""

    type_id: int
    """A ``VAR``, or a ``FUNC`` in ``.ksyms``."""
    offset: int
    """Bytes from the start of the section."""
    size: int


class Datasec(Record):
    """``BTF_KIND_DATASEC``: an ELF section and its variables."""

    id: int
    name: str
    size: int
    """As stored; compilers leave 0."""
    vars: tuple[VarSecinfo, ...]


class Float(Record):
    """``BTF_KIND_FLOAT`` (Linux 5.13)."""

    id: int
    name: str
    size: int


class DeclTag(Record):
    """``BTF_KIND_DECL_TAG`` (Linux 5.16)."""

    id: int
    name: str
    type_id: int
    component_index: int
    """Member or parameter that is tagged; -1 for the type itself."""
    attribute: bool = False
    """Whether it stands for any ``__attribute__``, not ``btf_decl_tag`` (kflag)."""


class TypeTag(Record):
    """``BTF_KIND_TYPE_TAG`` (Linux 5.17)."""

    id: int
    name: str
    type_id: int
    attribute: bool = False
    """Whether it stands for any ``__attribute__``, not ``btf_type_tag`` (kflag)."""


class Unknown(Record):
    """A kind newer than this skelgen."""

    id: int
    name: str
    number: int
    """``BTF_KIND_*``."""


Modifier: TypeAlias = Const | Volatile | Restrict | TypeTag
AnyEnum: TypeAlias = Enum | Enum64
Type: TypeAlias = (
    Void
    | Int
    | Ptr
    | Array
    | Struct
    | Union
    | Enum
    | Enum64
    | Fwd
    | Typedef
    | Volatile
    | Const
    | Restrict
    | Func
    | FuncProto
    | Var
    | Datasec
    | Float
    | DeclTag
    | TypeTag
    | Unknown
)
