"""Which class of the runtime a map gets, with which codecs, and how it is described."""

from typing import NamedTuple

from skelgen.btf.decl import type_name
from skelgen.btf.parse import Btf
from skelgen.codegen import shapes
from skelgen.codegen.names import camel
from skelgen.codegen.pretty import Expr, Group
from skelgen.codegen.shapes import Shape
from skelgen.codegen.text import code, count, literal, sentence
from skelgen.codegen.types import Context, TypeTable
from skelgen.errors import BtfError
from skelgen.model import map_types
from skelgen.model.enums import MapType
from skelgen.model.map_types import MapTypeRow
from skelgen.model.spec import MapSpec, Pinning, StructOpsSpec


class MapView(NamedTuple):
    """A map of a generated module."""

    attribute: str
    expr: Group
    """The statement that sets the attribute."""
    doc: str
    spec: MapSpec
    record: Shape | None = None
    """Record of a ring buffer, where it is known."""


def map_view(
    spec: MapSpec,
    attribute: str,
    btf: Btf | None,
    table: TypeTable | None,
    record: tuple[Shape, str] | None,
) -> MapView:
    """Return how a map looks in a module.

    ``record`` is what ``--record`` says of it: shape, and description.
    """
    key = _side(spec, spec.key_type_id, spec.key_size, "key", btf, table)
    value = _side(spec, spec.value_type_id, spec.value_size, "value", btf, table)
    if has_records(spec.type) and record is None and spec.value_type_id:
        record = value
    handle = Group("obj.map", (literal(spec.name),))
    family, codecs = _family(spec, key[0], value[0], record)
    expr = Group(f"self.{attribute}: Final = rt.{family}", (handle, *codecs))
    return MapView(
        attribute,
        expr,
        _describe(spec, key[1], value[1], record[1] if record else None),
        spec,
        record[0] if record else None,
    )


def struct_ops_map_view(spec: StructOpsSpec, attribute: str) -> MapView:
    """Return how the map of a struct_ops variable looks in a module."""
    doc = f"``BPF_MAP_TYPE_STRUCT_OPS`` of {code(f'struct {spec.type_name}')}"
    if spec.link:
        doc += ", attached with a link"
    if not spec.autocreate:
        doc += ", not created unless ``autocreate`` is set"
    items = (literal(spec.name),)
    expr = Group(f"self.{attribute}: Final = obj.struct_ops", items, "[]")
    map_ = MapSpec(spec.name, MapType.STRUCT_OPS)
    return MapView(attribute, expr, sentence(doc), map_)


def has_records(type_: int) -> bool:
    """Return whether a map has records, whose type ``--record`` can name."""
    return "record" in map_types.row(type_).codecs


def _family(
    spec: MapSpec, key: Shape, value: Shape, record: tuple[Shape, str] | None
) -> tuple[str, tuple[Expr, ...]]:
    """Return the class of a map, and the arguments with which it is told of elements."""
    row = map_types.row(spec.type)
    if _is_array(row) and spec.key_size != 4:
        row = map_types.UNKNOWN
    codecs = {
        "key": key.codec,
        "value": value.codec,
        "record": record[0].codec if record else "None",
    }
    return row.family, tuple(_named(name, codecs[name]) for name in row.codecs)


def _is_array(row: MapTypeRow) -> bool:
    """Return whether a map is a sequence of values, whose key is its index."""
    return row.codecs == ("value",)


def _named(keyword: str, expr: Expr) -> Expr:
    if isinstance(expr, str):
        return f"{keyword}={expr}"
    return expr._replace(head=f"{keyword}={expr.head}")


def _side(
    spec: MapSpec,
    type_id: int,
    size: int,
    side: str,
    btf: Btf | None,
    table: TypeTable | None,
) -> tuple[Shape, str]:
    """Return the shape of a map's key or value, and how it is described."""
    if type_id and btf is not None and table is not None:
        where = Context(
            f"map '{spec.name}' {side}",
            f"{side} of map ``{spec.name}``",
            camel(spec.name) + camel(side),
        )
        shape = table.shape(type_id, where)
        if shape.size != size and not has_records(spec.type):
            raise BtfError(f"{where.what}: {size} bytes, but its type has {shape.size}")
        return shape, code(type_name(btf, type_id))
    row = map_types.row(spec.type)
    if size == 4 and (row.index_key if side == "key" else row.fd_value):
        return shapes.scalar(4, signed=False), "``__u32``"
    return shapes.raw(size, ""), count(size, "byte")


def _describe(spec: MapSpec, key: str, value: str, record: str | None) -> str:
    text = f"``{type_text(spec.type)}``"
    row = map_types.row(spec.type)
    if spec.inner is not None:
        value = f"``{type_text(spec.inner.type)}``"
    if has_records(spec.type):
        text += f" of {record}" if record else ""
        return f"{text}, {count(spec.max_entries, row.unit)}{_pinned(spec)}."
    if _is_array(row) or (spec.value_size and not spec.key_size):
        text += f" of {value}"
    elif spec.key_size and spec.value_size:
        text += f", {key} to {value}"
    if spec.max_entries or row.unit == "page":
        text += f", {count(spec.max_entries, row.unit)}"
    return f"{text}{_pinned(spec)}."


def type_text(type_: int) -> str:
    """Return the name of a map type in C."""
    try:
        return f"BPF_MAP_TYPE_{MapType(type_).name}"
    except ValueError:
        return f"map type {type_}"


def _pinned(spec: MapSpec) -> str:
    return ", pinned under its name" if spec.pinning == Pinning.BY_NAME else ""
