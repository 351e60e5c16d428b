"""How many bytes the kernel copies between a process and a map.

A buffer for a key or value is as large as the kernel's copy, not as large as the
declaration says: the two differ for the per-CPU types, and wherever an fd turns out to
be another map's. Nothing gives a map a buffer that did not go through here.
"""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.arguments import FD, number
from skelgen.model.flags import BPF_F_ALL_CPUS, BPF_F_CPU
from skelgen.runtime.errors import BpfError
from skelgen.runtime.process.once import Once

if TYPE_CHECKING:
    from typing import Final

    from skelgen.model.enums import MapType

_POSSIBLE: Final = "/sys/devices/system/cpu/possible"

_FD_BYTES: Final = 4
_POSITION: Final = 4
"""Bytes that a batch of a hash map writes its position to, whatever the keys have."""


def named_map(fd: int, what: str) -> str:
    """Return the name of a map in errors: ``what``, or its fd if that is empty."""
    return what or f"map fd {number(fd, 'fd', FD)}"


def _read_possible() -> int:
    try:
        with open(_POSSIBLE, encoding="ascii") as file:
            return count_cpus(file.read())
    except (OSError, ValueError) as error:
        raise BpfError(f"number of possible CPUs: {_POSSIBLE}: {error}") from error


_possible_cpus: Final = Once(_read_possible)


def possible_cpus() -> int:
    """Return the number of CPUs that this kernel could ever have.

    The kernel copies one value for each, so a guess that is too low would let it
    write past the buffer: BpfError when it cannot be told.
    """
    return _possible_cpus()


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


def value_bytes(type_: int, value_size: int) -> int:
    """Return how many bytes the kernel copies for a value.

    As ``bpf_map_value_size()`` of ``kernel/bpf/syscall.c``: one slot a possible CPU for
    the per-CPU types, 4 bytes for those whose values are fds, else the value's size.
    """
    from skelgen.model import map_types

    row = map_types.row(type_)
    if row.per_cpu:
        return per_cpu_bytes(value_size)
    return _FD_BYTES if row.fd_value else value_size


class MapShape(Protocol):
    """A definition of a map: what it was asked for, or what the kernel says of it."""

    @property
    def type(self) -> int:
        """Return its ``MapType``."""
        ...

    @property
    def key_size(self) -> int:
        """Return the bytes of a key."""
        ...

    @property
    def value_size(self) -> int:
        """Return the bytes of a value of one CPU."""
        ...


ONE_VALUE: Final = BPF_F_CPU | BPF_F_ALL_CPUS
"""Flags with which a call on a per-CPU map copies one value."""


class CopySizes(Record):
    """The bytes that the kernel copies for one element of a map."""

    type: MapType | int
    """Of the map, as the kernel has it."""
    key: int
    value: int
    """Of all CPUs."""
    one_cpu: int
    """Of a value of one CPU."""

    def value_with(self, flags: int) -> int:
        """Return the bytes of a value that is read or written with flags.

        A single value with ``BPF_F_CPU`` and ``BPF_F_ALL_CPUS``, without what rounds it
        up to 8 bytes among others; Linux before 7.0 refuses these flags.
        """
        return self.one_cpu if flags & ONE_VALUE else self.value

    @property
    def position(self) -> int:
        """Bytes that a batch writes where to go on."""
        return max(_POSITION, self.key)


def copy_sizes(fd: int, *, what: str = "") -> CopySizes:
    """Return what the kernel copies for an element of the map of an fd, Linux 4.13."""
    from skelgen.runtime.syscalls.info import map_info

    return sizes_of(map_info(fd, what=what or f"map fd {fd}"))


def sizes_of(definition: MapShape) -> CopySizes:
    """Return what the kernel copies for an element of a map of a definition.

    That is what it told about the map, or was asked for when it made it.
    """
    type_ = definition.type
    value = value_bytes(type_, definition.value_size)
    return CopySizes(type_, definition.key_size, value, definition.value_size)


def check_room(what: str, word: str, room: int, copied: int) -> None:
    """Refuse a buffer that the kernel would write or read past: ValueError."""
    if room < copied:
        raise ValueError(
            f"{what}: {word} has {room} bytes, and the kernel copies {copied}"
        )
