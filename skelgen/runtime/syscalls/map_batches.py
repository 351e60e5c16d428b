"""Commands of ``bpf(2)`` on many elements of a map at once, Linux 5.6."""

from __future__ import annotations

import errno
import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import number
from skelgen.model.enums import Command
from skelgen.runtime.syscalls.buffers import Buffer, Memory, byte_count
from skelgen.runtime.syscalls.call import bpf, check, command_name, failure
from skelgen.runtime.syscalls.layout import Layout
from skelgen.runtime.syscalls.sizes import CopySizes, check_room, copy_sizes, named_map

if TYPE_CHECKING:
    from typing import Final

_BATCH: Final = Layout(
    "=QQQQIIQQ", "position next_position keys values count fd elem_flags flags"
)
_BATCH_COUNT: Final = 32  # offset of batch.count
_U64: Final = (0, (1 << 64) - 1)


def _batch(
    command: int,
    fd: int,
    count: int,
    flags: tuple[int, int],
    addresses: tuple[int, int, int, int],
    what: str,
) -> tuple[int, tuple[int, int]]:
    attr = bytearray(_BATCH.pack(what, *addresses, count, fd, *flags))
    result = bpf(command, attr, len(attr))
    (done,) = struct.unpack_from("=I", attr, _BATCH_COUNT)
    return done, result


def _check_batch(
    fd: int,
    keys: Buffer,
    values: Buffer | None,
    count: int,
    what: str,
    elem_flags: int = 0,
) -> CopySizes:
    """Refuse keys or values that the kernel would read or write past."""
    sizes = copy_sizes(fd, what=what)
    check_room(
        what, f"the buffer of {count} keys", byte_count(keys, "keys"), count * sizes.key
    )
    if values is not None:
        check_room(
            what,
            f"the buffer of {count} values",
            byte_count(values, "values"),
            count * sizes.value_with(number(elem_flags, "elem_flags", _U64, what)),
        )
    return sizes


def map_lookup_batch(
    fd: int,
    position: Buffer | None,
    next_position: bytearray | memoryview,
    keys: bytearray | memoryview,
    values: bytearray | memoryview,
    count: int,
    *,
    delete: bool = False,
    elem_flags: int = 0,
    flags: int = 0,
    what: str = "",
) -> tuple[int, bool]:
    """Read up to ``count`` elements: ``BPF_MAP_LOOKUP_BATCH``, Linux 5.6.

    With ``delete`` they are taken out: ``BPF_MAP_LOOKUP_AND_DELETE_BATCH``. Starts at
    ``position`` (``None`` for the beginning), and writes where to go on to
    ``next_position``, which has the key's size, 4 bytes at least. Returns how many
    elements there are in ``keys`` and ``values`` and whether these were the last.
    Raises ``ENOSPC`` when a bucket of a hash map has more than ``count``.

    With ``BPF_F_CPU`` and a CPU in the upper 32 bits of ``elem_flags`` (Linux 7.0),
    values of per-CPU maps are those of that CPU: one behind the other, each of the
    map's value size. With ``delete`` the kernel has no such flag.
    """
    command = Command.MAP_LOOKUP_BATCH
    if delete:
        command = Command.MAP_LOOKUP_AND_DELETE_BATCH
    what = named_map(fd, what)
    narrow = 0 if delete else elem_flags
    room = _check_batch(fd, keys, values, count, what, narrow).position
    check_room(
        what, "the next position", byte_count(next_position, "next_position"), room
    )
    if position is not None:
        check_room(what, "the position", byte_count(position, "position"), room)
    memory = Memory()
    addresses = (
        memory.read(position, "position", what),
        memory.write(next_position, "next_position", what),
        memory.write(keys, "keys", what),
        memory.write(values, "values", what),
    )
    done, result = _batch(command, fd, count, (elem_flags, flags), addresses, what)
    if result[1] == errno.ENOENT:
        return done, True
    check(command, result, what)
    return done, False


def map_update_batch(
    fd: int,
    keys: Buffer,
    values: Buffer,
    count: int,
    *,
    elem_flags: int = 0,
    flags: int = 0,
    what: str = "",
) -> int:
    """Write ``count`` elements: ``BPF_MAP_UPDATE_BATCH``, Linux 5.6.

    Returns how many were written. When one fails the error says why, in a note how
    many were written before it, and also ``error.done``. With ``BPF_F_CPU`` or
    ``BPF_F_ALL_CPUS`` in ``elem_flags`` (Linux 7.0) values of per-CPU maps have the
    map's value size, and go to the CPU in the upper 32 bits or to all.
    """
    what = named_map(fd, what)
    _check_batch(fd, keys, values, count, what, elem_flags)
    memory = Memory()
    addresses = (
        0,
        0,
        memory.read(keys, "keys", what),
        memory.read(values, "values", what),
    )
    return _write_batch(
        Command.MAP_UPDATE_BATCH, fd, count, (elem_flags, flags), addresses, what
    )


def map_delete_batch(
    fd: int,
    keys: Buffer,
    count: int,
    *,
    elem_flags: int = 0,
    flags: int = 0,
    what: str = "",
) -> int:
    """Delete ``count`` elements: ``BPF_MAP_DELETE_BATCH``, Linux 5.6.

    Returns how many were deleted; errors are as for :func:`map_update_batch`.
    """
    what = named_map(fd, what)
    _check_batch(fd, keys, None, count, what)
    memory = Memory()
    addresses = (0, 0, memory.read(keys, "keys", what), 0)
    return _write_batch(
        Command.MAP_DELETE_BATCH, fd, count, (elem_flags, flags), addresses, what
    )


def _write_batch(
    command: int,
    fd: int,
    count: int,
    flags: tuple[int, int],
    addresses: tuple[int, int, int, int],
    what: str,
) -> int:
    done, result = _batch(command, fd, count, flags, addresses, what)
    if result[0] < 0:
        error = failure(command_name(command), result[1], what)
        # EFAULT comes before the kernel counts, EINVAL before it looks
        if result[1] not in {errno.EFAULT, errno.EINVAL}:
            error.add_note(f"{done} of {count} elements were done before it")
        raise error
    return done
