"""Hash maps with a value for each CPU."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.runtime.maps.hash import HashMap
from skelgen.runtime.maps.percpu import PerCpuCodec, PerCpuElements

if TYPE_CHECKING:
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.values.codec import Codec

K = TypeVar("K")
V = TypeVar("V")


class PerCpuHashMap(PerCpuElements[K, V], HashMap[K, list[V]]):
    """``BPF_MAP_TYPE_PERCPU_HASH`` and ``LRU_PERCPU_HASH``.

    A value is a list with one item a possible CPU (:func:`possible_cpus`).
    """

    __slots__ = ()
    family = "PerCpuHashMap"

    def __init__(self, handle: MapHandle, *, key: Codec[K], value: Codec[V]) -> None:
        super().__init__(handle, key=key, value=PerCpuCodec(value))
