"""Values of per-CPU maps: one for each possible CPU."""

from skelgen._typing import TYPE_CHECKING, Generic, TypeVar
from skelgen.runtime.syscalls.sizes import possible_cpus
from skelgen.runtime.values.codec import Codec, Copied, IntCodec, packed

if TYPE_CHECKING:
    from typing import Any

    from _typeshed import ReadableBuffer

T = TypeVar("T")


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
