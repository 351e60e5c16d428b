"""Arrays with a value for each CPU."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.runtime.maps.array import ArrayMap
from skelgen.runtime.maps.percpu import PerCpuCodec, PerCpuElements
from skelgen.runtime.values.codec import U32

if TYPE_CHECKING:
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.values.codec import Codec

V = TypeVar("V")


class PerCpuArrayMap(PerCpuElements[int, V], ArrayMap[list[V]]):
    """``BPF_MAP_TYPE_PERCPU_ARRAY``.

    A value is a list with one item a possible CPU (:func:`possible_cpus`).
    """

    __slots__ = ()
    family = "PerCpuArrayMap"

    def __init__(
        self, handle: MapHandle, *, value: Codec[V], key: Codec[int] = U32
    ) -> None:
        super().__init__(handle, value=PerCpuCodec(value), key=key)

    def lookup_cpu(self, key: int, cpu: int) -> V:
        """Return the value of one CPU: ``BPF_F_CPU``, Linux 7.0; before, all are read.

        IndexError for an index or a CPU that is not there.
        """
        value = super().lookup_cpu(key, cpu)
        if value is None:
            raise self._no(key)
        return value

    def _pack_key(self, key: int) -> bytes:
        return super()._pack_key(self._place(key))
