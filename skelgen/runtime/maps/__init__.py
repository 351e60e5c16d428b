"""Map families: how the elements of a map type are used from Python."""

from typing import Any, Final, cast

from skelgen.model.enums import MapType
from skelgen.runtime.codec import U32, Bytes
from skelgen.runtime.maps.array import ArrayMap, PerCpuArrayMap, ProgArray
from skelgen.runtime.maps.base import Map
from skelgen.runtime.maps.generic import GenericMap
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.hash import HashMap, PerCpuHashMap
from skelgen.runtime.maps.percpu import possible_cpus
from skelgen.runtime.ringbuf import RingBuf

__all__ = (
    "ArrayMap",
    "GenericMap",
    "HashMap",
    "Map",
    "MapHandle",
    "PerCpuArrayMap",
    "PerCpuHashMap",
    "ProgArray",
    "RingBuf",
    "family",
    "possible_cpus",
)

_FAMILY: Final[dict[int, Any]] = {
    MapType.HASH: HashMap,
    MapType.LRU_HASH: HashMap,
    MapType.PERCPU_HASH: PerCpuHashMap,
    MapType.LRU_PERCPU_HASH: PerCpuHashMap,
    MapType.ARRAY: ArrayMap,
    MapType.PERCPU_ARRAY: PerCpuArrayMap,
}


_ARRAYS: Final = (ArrayMap, PerCpuArrayMap)


def family(handle: MapHandle) -> Map:
    """Return a map of its type's family, with bytes for keys and values."""
    if handle.type == MapType.RINGBUF:
        return RingBuf(handle, record=None)
    value = Bytes(handle.value_size)
    if handle.type == MapType.PROG_ARRAY:
        return ProgArray(handle)
    cls: Any = _FAMILY.get(handle.type, GenericMap)
    key: Any = U32 if cls in _ARRAYS else Bytes(handle.key_size)
    return cast("Map", cls(handle, key=key, value=value))
