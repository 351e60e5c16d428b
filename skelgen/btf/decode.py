"""From the words of a record to a type, with every reference checked."""

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import FLAG_SHIFT, KIND_SHIFT, MAX_KIND, MAX_VLEN, Kind
from skelgen.btf.types import (
    Array,
    Const,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Enumerator,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Restrict,
    Struct,
    Type,
    Typedef,
    TypeTag,
    Union,
    Unknown,
    Var,
    VarSecinfo,
    Void,
    Volatile,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from skelgen.btf.raw import RawBtf

_VOID = Void()


class _Record:
    """``struct btf_type`` and what follows it."""

    __slots__ = ("btf", "id", "info", "name_off", "payload", "third", "vlen")

    def __init__(self, btf: "RawBtf", type_id: int) -> None:
        self.btf = btf
        self.id = type_id
        position, end = btf.record(type_id)
        words = btf.words
        self.name_off = words[position]
        self.info = words[position + 1]
        self.third = words[position + 2]
        self.vlen = self.info & MAX_VLEN
        self.payload = words[position + 3 : end]

    @property
    def name(self) -> str:
        return self.btf.string(self.name_off)

    @property
    def kflag(self) -> bool:
        return self.info >> FLAG_SHIFT == 1

    def ref(self, type_id: int) -> int:
        """Check that a type exists."""
        if type_id >= len(self.btf):
            raise BtfParseError(
                f"btf: type {self.id} refers to type {type_id},"
                f" and there are {len(self.btf)}",
                self.btf.offset(self.id),
            )
        return type_id


def _int(record: _Record) -> Int:
    encoding = record.payload[0]
    flags = encoding >> 24 & 0xF
    return Int(
        record.id,
        record.name,
        record.third,
        bool(flags & 1),
        bool(flags & 2),
        bool(flags & 4),
        encoding & 0xFF,
        encoding >> 16 & 0xFF,
    )


def _array(record: _Record) -> Array:
    element, index, nelems = record.payload
    return Array(record.id, record.ref(element), record.ref(index), nelems)


def _members(record: _Record) -> tuple[Member, ...]:
    string = record.btf.string
    limit = len(record.btf)
    split = record.kflag
    found: list[Member] = []
    words = iter(record.payload)
    for name, type_id, offset in zip(words, words, words, strict=True):
        if type_id >= limit:
            record.ref(type_id)
        if split:
            found.append(Member(string(name), type_id, offset & 0xFFFFFF, offset >> 24))
        else:
            found.append(Member(string(name), type_id, offset, 0))
    return tuple(found)


def _struct(record: _Record) -> Struct:
    return Struct(record.id, record.name, record.third, _members(record), record.kflag)


def _union(record: _Record) -> Union:
    return Union(record.id, record.name, record.third, _members(record), record.kflag)


def _enum(record: _Record) -> Enum:
    string = record.btf.string
    bias = 1 << 32 if record.kflag else 0
    words = iter(record.payload)
    values = tuple(
        Enumerator(string(name), value - bias if value >> 31 else value)
        for name, value in zip(words, words, strict=True)
    )
    return Enum(record.id, record.name, record.third, record.kflag, values)


def _enum64(record: _Record) -> Enum64:
    string = record.btf.string
    bias = 1 << 64 if record.kflag else 0
    words = iter(record.payload)
    values = tuple(
        Enumerator(string(name), (high << 32 | low) - (bias if high >> 31 else 0))
        for name, low, high in zip(words, words, words, strict=True)
    )
    return Enum64(record.id, record.name, record.third, record.kflag, values)


def _fwd(record: _Record) -> Fwd:
    return Fwd(record.id, record.name, record.kflag)


def _typedef(record: _Record) -> Typedef:
    return Typedef(record.id, record.name, record.ref(record.third))


def _ptr(record: _Record) -> Ptr:
    return Ptr(record.id, record.ref(record.third))


def _volatile(record: _Record) -> Volatile:
    return Volatile(record.id, record.ref(record.third))


def _const(record: _Record) -> Const:
    return Const(record.id, record.ref(record.third))


def _restrict(record: _Record) -> Restrict:
    return Restrict(record.id, record.ref(record.third))


def _func(record: _Record) -> Func:
    proto = record.ref(record.third)
    if record.btf.kind(proto) is not Kind.FUNC_PROTO:
        raise BtfParseError(
            f"btf: func {record.id} has type {proto}, which is no prototype",
            record.btf.offset(record.id),
        )
    return Func(record.id, record.name, proto, record.vlen)


def _func_proto(record: _Record) -> FuncProto:
    string = record.btf.string
    words = iter(record.payload)
    params = tuple(
        Param(string(name), record.ref(type_id))
        for name, type_id in zip(words, words, strict=True)
    )
    return FuncProto(record.id, record.ref(record.third), params)


def _var(record: _Record) -> Var:
    return Var(record.id, record.name, record.ref(record.third), record.payload[0])


def _datasec(record: _Record) -> Datasec:
    words = iter(record.payload)
    variables = tuple(
        VarSecinfo(record.ref(type_id), offset, size)
        for type_id, offset, size in zip(words, words, words, strict=True)
    )
    return Datasec(record.id, record.name, record.third, variables)


def _float(record: _Record) -> Float:
    return Float(record.id, record.name, record.third)


def _decl_tag(record: _Record) -> DeclTag:
    index = record.payload[0]
    return DeclTag(
        record.id,
        record.name,
        record.ref(record.third),
        index - (1 << 32) if index >> 31 else index,
        record.kflag,
    )


def _type_tag(record: _Record) -> TypeTag:
    return TypeTag(record.id, record.name, record.ref(record.third), record.kflag)


_DECODERS: "dict[Kind, Callable[[_Record], Type]]" = {
    Kind.INT: _int,
    Kind.PTR: _ptr,
    Kind.ARRAY: _array,
    Kind.STRUCT: _struct,
    Kind.UNION: _union,
    Kind.ENUM: _enum,
    Kind.FWD: _fwd,
    Kind.TYPEDEF: _typedef,
    Kind.VOLATILE: _volatile,
    Kind.CONST: _const,
    Kind.RESTRICT: _restrict,
    Kind.FUNC: _func,
    Kind.FUNC_PROTO: _func_proto,
    Kind.VAR: _var,
    Kind.DATASEC: _datasec,
    Kind.FLOAT: _float,
    Kind.DECL_TAG: _decl_tag,
    Kind.TYPE_TAG: _type_tag,
    Kind.ENUM64: _enum64,
}


def decode(btf: "RawBtf", type_id: int) -> Type:
    """Decode a type that is stored in ``btf`` itself, or ``void``."""
    if type_id == 0:
        return _VOID
    record = _Record(btf, type_id)
    decoder = _DECODERS.get(btf.kind(type_id))
    if decoder is None:
        return Unknown(type_id, record.name, record.info >> KIND_SHIFT & MAX_KIND)
    return decoder(record)
