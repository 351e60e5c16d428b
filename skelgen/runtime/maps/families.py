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
    from skelgen.model.enums import MapType
    from skelgen.runtime.maps import array, generic, hash  # noqa: A004
    from skelgen.runtime.maps.ringbuf import RingBuf
    from skelgen.runtime.values.codec import U32, Bytes

    if handle.type == MapType.RINGBUF:
        return RingBuf(handle, record=record)
    if handle.type == MapType.PROG_ARRAY:
        return array.ProgArray(handle)
    if handle.type == MapType.ARENA:
        from skelgen.runtime.maps.arena import ArenaMap

        return ArenaMap(handle)
    arrays: dict[int, Any] = {
        MapType.ARRAY: array.ArrayMap,
        MapType.PERCPU_ARRAY: array.PerCpuArrayMap,
    }
    others: dict[int, Any] = {
        MapType.HASH: hash.HashMap,
        MapType.LRU_HASH: hash.HashMap,
        MapType.PERCPU_HASH: hash.PerCpuHashMap,
        MapType.LRU_PERCPU_HASH: hash.PerCpuHashMap,
        MapType.PERCPU_CGROUP_STORAGE: generic.PerCpuGenericMap,
    }
    value = value or Bytes(handle.value_size)
    if handle.type in arrays:
        made = arrays[handle.type](handle, key=key or U32, value=value)
    else:
        cls = others.get(handle.type, generic.GenericMap)
        made = cls(handle, key=key or Bytes(handle.key_size), value=value)
    return cast("Map", made)
