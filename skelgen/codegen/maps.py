"""Which class of the runtime a map gets, with which codecs, and how it is described."""

from typing import NamedTuple

from skelgen.btf.decl import type_name
from skelgen.btf.parse import Btf
from skelgen.codegen import shapes
from skelgen.codegen.names import camel
from skelgen.codegen.pretty import Expr, Group
from skelgen.codegen.shapes import Shape
from skelgen.codegen.text import code, count, literal
from skelgen.codegen.types import Context, TypeTable
from skelgen.errors import BtfError
from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec, Pinning, StructOpsSpec

_KEYED = {
    MapType.HASH: "HashMap",
    MapType.LRU_HASH: "HashMap",
    MapType.PERCPU_HASH: "PerCpuHashMap",
    MapType.LRU_PERCPU_HASH: "PerCpuHashMap",
}
_INDEXED = {MapType.ARRAY: "ArrayMap", MapType.PERCPU_ARRAY: "PerCpuArrayMap"}
_INDEX_KEY = frozenset(
    {
        MapType.PERF_EVENT_ARRAY,
        MapType.STACK_TRACE,
        MapType.CGROUP_ARRAY,
        MapType.ARRAY_OF_MAPS,
        MapType.DEVMAP,
        MapType.SOCKMAP,
        MapType.CPUMAP,
        MapType.XSKMAP,
        MapType.REUSEPORT_SOCKARRAY,
    }
)
"""Maps whose key the kernel wants to be an index of 32 bits."""
_FD_VALUE = frozenset(
    {
        MapType.PERF_EVENT_ARRAY,
        MapType.CGROUP_ARRAY,
        MapType.ARRAY_OF_MAPS,
        MapType.HASH_OF_MAPS,
        MapType.XSKMAP,
    }
)
"""Maps whose value is a file descriptor to user space."""
RECORD_MAPS = frozenset({MapType.RINGBUF})
"""Maps that ``--record`` can type."""


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
    if spec.type == MapType.RINGBUF and record is None and spec.value_type_id:
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
    return MapView(attribute, expr, f"{doc}.", map_)


def _family(
    spec: MapSpec, key: Shape, value: Shape, record: tuple[Shape, str] | None
) -> tuple[str, tuple[Expr, ...]]:
    if spec.type in _KEYED:
        return _KEYED[MapType(spec.type)], (
            _named("key", key.codec),
            _named("value", value.codec),
        )
    if spec.type in _INDEXED and spec.key_size == 4:
        return _INDEXED[MapType(spec.type)], (_named("value", value.codec),)
    if spec.type == MapType.PROG_ARRAY:
        return "ProgArray", ()
    if spec.type == MapType.ARENA:
        return "ArenaMap", ()
    if spec.type == MapType.RINGBUF:
        return "RingBuf", (_named("record", record[0].codec if record else "None"),)
    per_cpu = spec.type == MapType.PERCPU_CGROUP_STORAGE
    return "PerCpuGenericMap" if per_cpu else "GenericMap", (
        _named("key", key.codec),
        _named("value", value.codec),
    )


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
        if shape.size != size and spec.type != MapType.RINGBUF:
            raise BtfError(f"{where.what}: {size} bytes, but its type has {shape.size}")
        return shape, code(type_name(btf, type_id))
    kinds = _INDEX_KEY if side == "key" else _FD_VALUE
    if spec.type in kinds and size == 4:
        return shapes.scalar(4, signed=False), "``__u32``"
    return shapes.raw(size, ""), count(size, "byte")


def _describe(spec: MapSpec, key: str, value: str, record: str | None) -> str:
    text = f"``{type_text(spec.type)}``"
    if spec.inner is not None:
        value = f"``{type_text(spec.inner.type)}``"
    if spec.type == MapType.RINGBUF:
        text += f" of {record}" if record else ""
        return f"{text}, {count(spec.max_entries, 'byte')}{_pinned(spec)}."
    if spec.type in _INDEXED or (spec.value_size and not spec.key_size):
        text += f" of {value}"
    elif spec.key_size and spec.value_size:
        text += f", {key} to {value}"
    if spec.type == MapType.ARENA:
        text += f", {count(spec.max_entries, 'page')}"
    elif spec.max_entries:
        text += f", {count(spec.max_entries, 'entry')}"
    return f"{text}{_pinned(spec)}."


def type_text(type_: int) -> str:
    """Return the name of a map type in C."""
    try:
        return f"BPF_MAP_TYPE_{MapType(type_).name}"
    except ValueError:
        return f"map type {type_}"


def _pinned(spec: MapSpec) -> str:
    return ", pinned under its name" if spec.pinning == Pinning.BY_NAME else ""
