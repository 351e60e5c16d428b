"""The ``ObjectSpec`` of a generated module, as an expression in Python.

Fields with their default values are left out. Names stay as they are, sections and
other text become literals.
"""

from typing import TYPE_CHECKING, TypeAlias, cast, get_args

from skelgen.codegen.pretty import Expr, Group
from skelgen.codegen.text import literal
from skelgen.model import attach
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.spec import (
    DataKind,
    DataSpec,
    ExternKind,
    ExternSpec,
    KconfigType,
    MapSpec,
    ObjectSpec,
    Pinning,
    ProgramSpec,
    Reloc,
    Span,
    StructOpsSpec,
    SubprogramSpec,
)

if TYPE_CHECKING:
    from enum import Enum

_Record: TypeAlias = (
    ObjectSpec
    | MapSpec
    | DataSpec
    | ProgramSpec
    | SubprogramSpec
    | ExternSpec
    | StructOpsSpec
    | Span
    | attach.Attach
    | Reloc
)
_RECORDS = get_args(_Record)
_HEX = frozenset({"flags", "map_extra"})
"""Bit masks, which read better in hexadecimal."""


def blueprint(spec: ObjectSpec, image: str) -> Expr:
    """Return the expression that builds ``spec``.

    ``image`` is the expression for its bytes.
    """
    call = _call(spec._replace(image=b""))
    return call._replace(items=(*call.items, f"image={image}"))


_ENUMS: "dict[str, type[Enum]]" = {
    "attach_type": AttachType,
    "kconfig": KconfigType,
    "pinning": Pinning,
}
"""Fields that are or may be a member of an enumeration."""
_TYPE_ENUMS: "dict[type, type[Enum]]" = {MapSpec: MapType, ProgramSpec: ProgType}
_KIND_ENUMS: "dict[type, type[Enum]]" = {DataSpec: DataKind, ExternSpec: ExternKind}
_POSITIONAL: dict[type, int] = {
    ObjectSpec: 0,
    MapSpec: 2,
    DataSpec: 2,
    ProgramSpec: 4,
    SubprogramSpec: 2,
    ExternSpec: 2,
    StructOpsSpec: 2,
    attach.Tracing: 1,
    attach.TracingMulti: 1,
    attach.Kprobe: 1,
    attach.KprobeMulti: 1,
    attach.Ksyscall: 1,
    attach.Uprobe: 2,
    attach.UprobeMulti: 2,
}
"""How many leading fields a class takes without their names, if not all."""


def _call(record: _Record) -> Group:
    """Return the call that builds a named tuple of the model."""
    cls = type(record)
    defaults = cls._field_defaults
    positional = _POSITIONAL.get(cls, len(cls._fields))
    items: list[Expr] = []
    for index, (name, value) in enumerate(record._asdict().items()):
        if name in defaults and _same(value, defaults[name]):
            positional = min(positional, index)  # the next ones need their names
            continue
        expr = _value(cls, name, value)
        if index >= positional:
            head = f"{name}="
            expr = head + expr if isinstance(expr, str) else _named(head, expr)
        items.append(expr)
    return Group(f"rt.{cls.__name__}", tuple(items))


def _same(value: object, default: object) -> bool:
    return value == default and isinstance(value, bool) == isinstance(default, bool)


def _named(head: str, group: Group) -> Group:
    return group._replace(head=head + group.head)


def _value(cls: type, name: str, value: object) -> Expr:
    if name == "type":
        return _member(_TYPE_ENUMS[cls], value)
    if name == "kind":
        return _member(_KIND_ENUMS[cls], value)
    if name in _ENUMS:
        return _member(_ENUMS[name], value)
    if name in _HEX and isinstance(value, int):
        return f"0x{value:X}"
    return _plain(value)


def _member(enum: "type[Enum]", value: object) -> str:
    """Return the name of an enumeration's member, or a number that it does not know."""
    try:
        return f"rt.{enum.__name__}.{enum(value).name}"
    except ValueError:
        return _number(value)


def _plain(value: object) -> Expr:
    if isinstance(value, str):
        return literal(value)
    if value is None or isinstance(value, int):
        return _number(value)
    if isinstance(value, _RECORDS):
        return _call(cast("_Record", value))
    if isinstance(value, tuple):
        return Group("", tuple(map(_plain, cast("tuple[object, ...]", value))))
    raise TypeError(f"no expression for {type(value).__name__}")


def _number(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    assert isinstance(value, int)  # every other type is handled above
    return str(int(value))
