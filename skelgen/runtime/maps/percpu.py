"""Values of per-CPU maps: one for each possible CPU."""

from functools import cache

from skelgen.runtime.codec import Codec, IntCodec, packed
from skelgen.runtime.errors import BpfError
from skelgen.typed import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

T = TypeVar("T")

_POSSIBLE = "/sys/devices/system/cpu/possible"


@cache
def possible_cpus() -> int:
    """Return the number of CPUs that this kernel could ever have.

    The kernel copies one value for each, so a guess that is too low would let it
    write past the buffer: BpfError when it cannot be told.
    """
    try:
        with open(_POSSIBLE, encoding="ascii") as file:
            return count_cpus(file.read())
    except (OSError, ValueError) as error:
        raise BpfError(f"number of possible CPUs: {_POSSIBLE}: {error}") from error


def count_cpus(ranges: str) -> int:
    """Count the CPUs of a list such as ``0-3,8``. Raises ValueError."""
    total = 0
    for part in ranges.strip().split(","):
        first, _, last = part.partition("-")
        total += int(last or first) - int(first) + 1
    return total


def per_cpu_bytes(value_size: int) -> int:
    """Return how many bytes the kernel copies for all CPUs: 8-byte slots."""
    return (value_size + 7) // 8 * 8 * possible_cpus()


class PerCpuCodec(Codec[list[T]], Generic[T]):
    """A list of values, one a possible CPU, each in a multiple of 8 bytes."""

    __slots__ = ("cpus", "element", "stride")

    def __init__(self, element: Codec[T]) -> None:
        self.element = element
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

    def unpack(self, buffer: "ReadableBuffer", offset: int = 0) -> list[T]:
        """Return the value at an offset of a buffer."""
        element, stride = self.element, self.stride
        if stride == element.size and isinstance(element, IntCodec):
            data = memoryview(buffer).cast("B")[offset : offset + self.size]
            return element.unpack_all(data, self.cpus)  # type: ignore[return-value] # T is int
        return [
            element.unpack(buffer, offset + cpu * stride) for cpu in range(self.cpus)
        ]
