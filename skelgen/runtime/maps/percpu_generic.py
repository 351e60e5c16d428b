"""Maps of other types with a value for each CPU."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.model import map_types
from skelgen.runtime.maps.generic import GenericMap
from skelgen.runtime.maps.percpu import PerCpuCodec, PerCpuElements

if TYPE_CHECKING:
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.values.codec import Codec

K = TypeVar("K")
V = TypeVar("V")


class PerCpuGenericMap(PerCpuElements[K, V], GenericMap[K, list[V]]):
    """``BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE``: like :class:`GenericMap`, for each CPU.

    A value is a list with one item a possible CPU (:func:`possible_cpus`).
    """

    __slots__ = ()

    def __init__(self, handle: MapHandle, *, key: Codec[K], value: Codec[V]) -> None:
        super().__init__(handle, key=key, value=PerCpuCodec(value))

    def _serves(self, type_: int) -> bool:
        return map_types.row(type_).per_cpu
