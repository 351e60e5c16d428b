"""Arenas: memory that programs and processes share under one address (Linux 6.9)."""

import ctypes
import mmap
from collections.abc import Callable
from typing import TYPE_CHECKING

from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError

if TYPE_CHECKING:
    from skelgen.runtime.map_create import MapRequest

_MAP_FIXED_NOREPLACE = 0x100000
_F_SEGV_ON_FAULT = 1 << 17


def map_arena(
    fd: int, request: "MapRequest", images: list[memoryview]
) -> Callable[[], None]:
    """Map a new arena, which fixes its address, and write its initial contents.

    Returns what unmaps it; address and contents stay. The verifier wants the address
    before it takes a program that uses the arena.
    """
    what = f"map '{request.name}'"
    size = request.max_entries * mmap.PAGESIZE
    image = b"".join(images)
    if image and request.flags & _F_SEGV_ON_FAULT:
        raise BpfError(
            f"{what}: BPF_F_SEGV_ON_FAULT leaves no way to write its initial contents"
        )
    if len(image) > size:
        raise BpfError(
            f"{what}: {len(image)} bytes of globals do not fit into"
            f" {request.max_entries} pages"
        )
    flags = syscalls.MAP_SHARED
    if request.map_extra:
        flags |= _MAP_FIXED_NOREPLACE
    address = syscalls.mmap(
        request.map_extra,
        size,
        syscalls.PROT_READ | syscalls.PROT_WRITE,
        flags,
        fd,
        what=what,
    )
    if image:
        ctypes.memmove(address, image, len(image))
    return lambda: syscalls.munmap(address, size, what=what)
