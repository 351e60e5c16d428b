"""Memory of this process that a call reads from or writes to."""

from __future__ import annotations

import ctypes

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import encoded, readable, writable

if TYPE_CHECKING:
    import os

Buffer = bytes | bytearray | memoryview
"""Bytes that a call reads; it writes to a ``bytearray`` or a writable view."""


def byte_count(data: Buffer, name: str) -> int:
    """Return the size of a buffer in bytes; ``name`` is for the error about another."""
    readable(data, name)
    return data.nbytes if isinstance(data, memoryview) else len(data)


class Memory:
    """Addresses of buffers, which it keeps alive as long as it lives itself."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[object] = []

    def read(self, data: Buffer | None, name: str = "data", whose: str = "") -> int:
        """Return an address where the kernel finds ``data``; 0 for none or empty.

        ``name`` of ``whose`` it is, for the error about what are no bytes.
        """
        if data is None or not readable(data, name, whose):
            return 0
        copy = ctypes.create_string_buffer(bytes(data), len(data))
        self._kept.append(copy)
        return ctypes.addressof(copy)

    def text(
        self,
        data: str | bytes | os.PathLike[str],
        name: str = "name",
        whose: str = "",
    ) -> int:
        """Return the address of a NUL-terminated copy of a path or name.

        Raises ValueError for one with a NUL in it, which would be its end.
        """
        copy = ctypes.create_string_buffer(encoded(data, name, whose))
        self._kept.append(copy)
        return ctypes.addressof(copy)

    def write(
        self, data: bytearray | memoryview | None, name: str = "out", whose: str = ""
    ) -> int:
        """Return the address of ``data`` itself, for the kernel to write to."""
        if data is None or not writable(data, name, whose):
            return 0
        pinned = ctypes.c_char.from_buffer(data)
        self._kept.append(pinned)
        return ctypes.addressof(pinned)
