"""Values of per-CPU maps: one for each possible CPU."""

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar, cast
from skelgen.arguments import number
from skelgen.model.flags import BPF_F_ALL_CPUS, BPF_F_CPU
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.maps.base import ElementMap
from skelgen.runtime.syscalls.sizes import ONE_VALUE, possible_cpus
from skelgen.runtime.values.codec import Codec, Copied, IntCodec, packed

if TYPE_CHECKING:
    from typing import Any

    from _typeshed import ReadableBuffer

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

_FLAGS = (0, (1 << 64) - 1)


class CpuValues(list[T]):
    """The values of all CPUs as they were read: a list that refuses to be changed.

    ``list(values)`` and ``copy.deepcopy(values)`` are plain lists.
    """

    __slots__ = ("_owner",)

    def __init__(self, values: list[T], owner: Copied) -> None:
        super().__init__(values)
        self._owner = owner

    def __reduce__(self) -> "tuple[Any, ...]":
        return list, (list(self),)

    if not TYPE_CHECKING:  # to a type checker it is the list that it reads like

        def _refuse(self, *_args: object, **_options: object) -> None:
            raise self._owner.error()

        __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
        append = clear = extend = insert = pop = remove = reverse = sort = _refuse


class PerCpuCodec(Codec[list[T]], Generic[T]):
    """A list of values, one a possible CPU, each in a multiple of 8 bytes."""

    __slots__ = ("_owner", "cpus", "element", "stride")

    def __init__(self, element: Codec[T], owner: Copied | None = None) -> None:
        self.element = element
        self._owner = owner
        self.cpus = possible_cpus()
        self.stride = (element.size + 7) // 8 * 8
        size = self.stride * self.cpus
        super().__init__(
            f"a list of {self.cpus} values, one a possible CPU", size, None
        )

    def coerce(self, value: list[T]) -> bytes:
        """See :meth:`Codec.coerce`."""
        if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
            raise TypeError(f"must be {self.text}, got {type(value).__name__}")
        if len(value) != self.cpus:
            raise ValueError(f"must be {self.text}, got {len(value)}")
        stride = self.stride
        return b"".join(
            packed(self.element, item, f"[{cpu}]").ljust(stride, b"\0")
            for cpu, item in enumerate(value)
        )

    def to_bytes(self, value: list[T]) -> bytes:
        """See :meth:`Codec.to_bytes`."""
        return self.coerce(value)

    def out_of(self, owner: Copied) -> "PerCpuCodec[T]":
        """See :meth:`Codec.out_of`."""
        return PerCpuCodec(self.element.out_of(owner), owner)

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> list[T]:
        """Return the value at an offset of a buffer."""
        values = self._values(buffer, offset)
        return values if self._owner is None else CpuValues(values, self._owner)

    def _values(self, buffer: "ReadableBuffer", offset: int) -> list[T]:
        element, stride = self.element, self.stride
        if stride == element.size and isinstance(element, IntCodec):
            data = memoryview(buffer).cast("B")[offset : offset + self.size]
            return element.unpack_all(data, self.cpus)  # type: ignore[return-value] # T is int
        return [
            element.unpack(buffer, offset + cpu * stride) for cpu in range(self.cpus)
        ]


class PerCpuElements(ElementMap[K, list[V]]):
    """Calls of maps with a value for each CPU, beside their family's own."""

    __slots__ = ()

    def lookup_cpu(self, key: K, cpu: int) -> V | None:
        """Return the value of one CPU, None where there is no such element.

        ``BPF_F_CPU``, Linux 7.0; before, all values are read. IndexError for a CPU
        that is not possible.
        """
        codec = self._codec
        place = self._cpu(cpu) * codec.stride
        flags = 0
        if self._has_flags():
            place, flags = 0, BPF_F_CPU | cpu << 32
        one = codec.element

        def unpack(buffer: bytearray) -> V:
            return one.unpack(buffer, place)

        return self._open().get(self._pack_key(key), unpack, flags)

    def put_cpu(self, key: K, cpu: int, value: V) -> None:
        """Write the value of one CPU and leave the others: ``BPF_F_CPU``, Linux 7.0.

        A new element of a hash map has zeros for the other CPUs. NotSupportedError on
        kernels before, IndexError for a CPU that is not possible.
        """
        from skelgen.runtime.kernel.features import PERCPU_FLAGS

        flags = BPF_F_CPU | self._cpu(cpu) << 32
        data = self._packed_one(value)
        PERCPU_FLAGS.require(self._what())
        self._put_packed(key, data, flags)

    def put_all_cpus(self, key: K, value: V) -> None:
        """Write one value for all CPUs: ``BPF_F_ALL_CPUS``, Linux 7.0.

        Before, it is written as a list of equal values, which does the same.
        """
        codec, data = self._codec, self._packed_one(value)
        if self._has_flags():
            self._put_packed(key, data, BPF_F_ALL_CPUS)
        else:
            self._put_packed(key, data.ljust(codec.stride, b"\0") * codec.cpus, 0)

    def _put_packed(self, key: K, data: bytes, flags: int) -> None:
        try:
            self._open().update(self._pack_key(key), data, flags)
        except BpfOSError as error:
            raise self._full(error) from None

    def _packed_one(self, value: V) -> bytes:
        return packed(self._codec.element, value, f"{self._what()}: value")

    def _cpu(self, cpu: int) -> int:
        cpus = self._codec.cpus
        if not 0 <= number(cpu, "cpu", whose=self._what()) < cpus:
            raise IndexError(f"{self._what()}: CPU {cpu} of {cpus} possible ones")
        return cpu

    def _has_flags(self) -> bool:
        from skelgen.runtime.kernel.features import PERCPU_FLAGS

        return PERCPU_FLAGS.supported() is True

    def _whole(self, flags: int) -> int:
        if number(flags, "flags", _FLAGS, self._what()) & ONE_VALUE:
            raise ValueError(
                f"{self._what()}: flags say one value, and here are those of all CPUs;"
                " use lookup_cpu(), put_cpu() or put_all_cpus()"
            )
        return flags

    @property
    def _codec(self) -> PerCpuCodec[V]:
        return cast("PerCpuCodec[V]", self._value)
