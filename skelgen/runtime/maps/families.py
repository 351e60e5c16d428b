"""Map families: how the elements of a map type are used from Python."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from typing import Any

    from skelgen.runtime.maps.base import Map
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.values.codec import Codec


def family(
    handle: MapHandle,
    key: Codec[Any] | None = None,
    value: Codec[Any] | None = None,
    record: Codec[Any] | None = None,
) -> Map:
    """Return a map of its type's family, by default with bytes for all elements."""
    made = _family(handle, key, value, record)
    made.untyped = True
    return made


def _family(
    handle: MapHandle,
    key: Codec[Any] | None,
    value: Codec[Any] | None,
    record: Codec[Any] | None,
) -> Map:
    # a program imports the families it has, not all of them
    from skelgen.model import map_types
    from skelgen.runtime import public
    from skelgen.runtime.values.codec import Bytes

    row = map_types.row(handle.type)
    codecs = {
        "key": key or Bytes(handle.key_size),
        "value": value or Bytes(handle.value_size),
        "record": record,
    }
    told = {name: codecs[name] for name in row.codecs}
    if key is not None and "value" in told:  # of an index, which need not be told
        told["key"] = key
    cls: Any = public.find(row.family)
    return cast("Map", cls(handle, **told))
