"""Map elements without preparing each call: the hot path of the map families."""

from __future__ import annotations

import ctypes
import errno
import struct

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.arguments import number
from skelgen.model.enums import Command
from skelgen.runtime.errors import BpfError, ClosedError
from skelgen.runtime.syscalls import call
from skelgen.runtime.syscalls.numbers import NR_BPF
from skelgen.runtime.syscalls.sizes import ONE_VALUE, check_room, copy_sizes, named_map

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

_ATTR_SIZE: Final = 32
_FLAGS: Final = struct.Struct("=Q")
_VALUE_OFFSET: Final = 16
_FLAGS_OFFSET: Final = 24

_T = TypeVar("_T")

# One more view of syscall(2), without argtypes: given prepared C integers it is
# faster than one that converts Python's (1.5 us against 2.1 for a lookup).
_syscall: Final = ctypes.CDLL(None, use_errno=True)["syscall"]
_syscall.restype = ctypes.c_long

_Prepared = tuple[ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_long]


def _seamed(
    nr: ctypes.c_long, a: ctypes.c_long, b: ctypes.c_void_p, c: ctypes.c_long
) -> int:
    """Stand in for ``_syscall`` when a test has replaced the kernel."""
    result, error = call.raw(nr.value, a.value, b.value or 0, c.value)
    ctypes.set_errno(error)
    return result


def _prepare(command: int, attr: int, size: int = _ATTR_SIZE) -> _Prepared:
    return (
        ctypes.c_long(NR_BPF),
        ctypes.c_long(command),
        ctypes.c_void_p(attr),
        ctypes.c_long(size),
    )


def _flags(value: int, what: str) -> int:
    return number(value, "flags", (0, (1 << 64) - 1), what)


class Buffers:
    """Buffers of one call: key, value and the attrs that point to them."""

    __slots__ = (
        "_attrs",
        "_pins",
        "attr",
        "delete",
        "first_key",
        "key",
        "lookup",
        "next_key",
        "out_key",
        "take",
        "update",
        "value",
    )

    def __init__(self, fd: int, key_size: int, value_size: int) -> None:
        self.key: Final = bytearray(key_size)
        self.value: Final = bytearray(value_size)
        self.out_key: Final = bytearray(key_size)
        self.attr: Final = bytearray(_ATTR_SIZE)
        next_attr = bytearray(_ATTR_SIZE)
        first_attr = bytearray(_ATTR_SIZE)
        self._attrs: Final = (self.attr, next_attr, first_attr)
        # pinned also against a change of size, which would move them
        self._pins: Final = [
            (ctypes.c_char * len(b)).from_buffer(b) if b else None
            for b in (
                self.key,
                self.value,
                self.out_key,
                self.attr,
                next_attr,
                first_attr,
            )
        ]
        key, value, out, attr, following, first = (
            0 if pin is None else ctypes.addressof(pin) for pin in self._pins
        )
        struct.pack_into("=IxxxxQQQ", self.attr, 0, fd, key, value, 0)
        struct.pack_into("=IxxxxQQQ", next_attr, 0, fd, key, out, 0)
        struct.pack_into("=IxxxxQQQ", first_attr, 0, fd, 0, out, 0)
        self.lookup: Final = _prepare(Command.MAP_LOOKUP_ELEM, attr)
        self.update: Final = _prepare(Command.MAP_UPDATE_ELEM, attr)
        # this one is refused when it can see the address of a value
        self.delete: Final = _prepare(Command.MAP_DELETE_ELEM, attr, _VALUE_OFFSET)
        self.take: Final = _prepare(Command.MAP_LOOKUP_AND_DELETE_ELEM, attr)
        self.next_key: Final = _prepare(Command.MAP_GET_NEXT_KEY, following)
        self.first_key: Final = _prepare(Command.MAP_GET_NEXT_KEY, first)

    def retire(self) -> None:
        """Take the fd out, also for a call that is on its way into the kernel."""
        for attr in self._attrs:
            struct.pack_into("=i", attr, 0, -1)


class MapAccess:
    """Elements of one map, through buffers that are made once.

    Safe for threads, signal handlers and forks without a lock: a call takes its
    buffers out of a list and puts them back. Sizes are in bytes; ``value_size`` is
    that of the whole value, for per-CPU maps of all CPUs. Keys and values have to
    have these sizes (``BufferError``); with ``BPF_F_CPU`` and ``BPF_F_ALL_CPUS`` (Linux
    7.0) a value has that of one CPU. That the kernel copies no more for the map of
    this fd is checked here, once (``ValueError``). The fd stays the caller's, who calls
    :meth:`close` before closing it.
    """

    __slots__ = (
        "_all",
        "_call",
        "_closed",
        "_fd",
        "_free",
        "_one_cpu",
        "_what",
        "key_size",
        "value_size",
    )

    def __init__(
        self, fd: int, key_size: int, value_size: int, *, what: str = ""
    ) -> None:
        self.key_size: Final = key_size
        self.value_size: Final = value_size
        self._fd: Final = fd
        self._what: Final = named_map(fd, what)
        sizes = copy_sizes(fd, what=self._what)
        check_room(self._what, "a key", key_size, sizes.key)
        check_room(self._what, "a value", value_size, sizes.value)
        self._one_cpu: Final = sizes.one_cpu
        self._closed = False
        self._all: Final[list[Buffers]] = []
        self._free: Final = [self._more()]
        self._call: Callable[..., int] = (
            _syscall if call.raw is call.real_raw else _seamed
        )

    def _more(self) -> Buffers:
        """Return buffers for one more call at the same time."""
        buffers = Buffers(self._fd, self.key_size, self.value_size)
        self._all.append(buffers)
        return buffers

    def close(self) -> None:
        """Let every later call raise :class:`ClosedError`.

        So does one that another thread is about to make: the number of the fd may
        soon be another map's.
        """
        self._closed = True
        what = self._what

        def closed(*_args: object) -> int:
            raise ClosedError(f"{what}: destroyed already")

        self._call = closed
        for buffers in self._all:
            buffers.retire()

    def _buffers(self) -> Buffers:
        """Take buffers for a call, which puts them back into the list."""
        try:
            return self._free.pop()
        except IndexError:  # other threads have them all
            return self._more()

    def get(
        self,
        key: bytes | bytearray,
        unpack: Callable[[bytearray], _T],
        flags: int = 0,
    ) -> _T | None:
        """Return ``unpack(value)`` of an element, ``None`` when there is none.

        ``BPF_MAP_LOOKUP_ELEM``. ``unpack`` may not keep the buffer that it is given.
        """
        buffers = self._buffers()
        try:
            buffers.key[:] = key
            if self._with_flags(buffers, buffers.lookup, flags) < 0:
                self._missed(Command.MAP_LOOKUP_ELEM)
                return None
            return unpack(buffers.value)
        finally:
            self._free.append(buffers)

    def lookup(self, key: bytes | bytearray, flags: int = 0) -> bytes | None:
        """Return the bytes of an element, ``None`` when there is none."""
        room = self._room(flags)

        def unpack(buffer: bytearray) -> bytes:
            return bytes(buffer[:room])

        return self.get(key, unpack, flags)

    def update(
        self, key: bytes | bytearray, value: bytes | bytearray, flags: int = 0
    ) -> None:
        """Write an element: ``BPF_MAP_UPDATE_ELEM``."""
        buffers = self._buffers()
        try:
            buffers.key[:] = key
            buffers.value[: self._room(flags)] = value
            if self._with_flags(buffers, buffers.update, flags) < 0:
                raise self._failure(Command.MAP_UPDATE_ELEM, ctypes.get_errno())
        finally:
            self._free.append(buffers)

    def delete(self, key: bytes | bytearray) -> bool:
        """Delete an element, False when there is none: ``BPF_MAP_DELETE_ELEM``."""
        buffers = self._buffers()
        try:
            buffers.key[:] = key
            if self._call(*buffers.delete) < 0:
                return self._missed(Command.MAP_DELETE_ELEM)
            return True
        finally:
            self._free.append(buffers)

    def take(self, key: bytes | bytearray) -> bytes | None:
        """Read and delete an element, ``None`` when there is none.

        ``BPF_MAP_LOOKUP_AND_DELETE_ELEM``, Linux 5.14 for hash maps.
        """
        buffers = self._buffers()
        try:
            buffers.key[:] = key
            if self._call(*buffers.take) < 0:
                self._missed(Command.MAP_LOOKUP_AND_DELETE_ELEM)
                return None
            return bytes(buffers.value)
        finally:
            self._free.append(buffers)

    def next_key(self, key: bytes | bytearray | None) -> bytes | None:
        """Return the key after ``key`` (``None``: the first), ``None`` at the end.

        ``BPF_MAP_GET_NEXT_KEY``. A key that is not in the map gives the first.
        """
        buffers = self._buffers()
        try:
            following = buffers.first_key
            if key is not None:
                buffers.key[:] = key
                following = buffers.next_key
            if self._call(*following) < 0:
                self._missed(Command.MAP_GET_NEXT_KEY)
                return None
            return bytes(buffers.out_key)
        finally:
            self._free.append(buffers)

    def _room(self, flags: int) -> int:
        """Return the bytes of a value that is read or written with flags."""
        if flags and _flags(flags, self._what) & ONE_VALUE:
            return self._one_cpu
        return self.value_size

    def _with_flags(self, buffers: Buffers, prepared: _Prepared, flags: int) -> int:
        """Make a call whose attr has flags for this one time."""
        if not flags:
            return self._call(*prepared)
        _FLAGS.pack_into(buffers.attr, _FLAGS_OFFSET, _flags(flags, self._what))
        try:
            return self._call(*prepared)
        finally:
            _FLAGS.pack_into(buffers.attr, _FLAGS_OFFSET, 0)

    def _missed(self, command: int) -> bool:
        """Return False when the element is not there, raise on any other errno."""
        error = ctypes.get_errno()
        if error != errno.ENOENT:
            raise self._failure(command, error)
        return False

    def _failure(self, command: int, error: int) -> BpfError:
        if self._closed and error == errno.EBADF:
            return ClosedError(f"{self._what}: destroyed already")
        return call.failure(call.command_name(command), error, self._what)
