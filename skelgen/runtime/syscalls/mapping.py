"""``mmap(2)`` at a given address, which Python's :mod:`mmap` cannot do."""

from __future__ import annotations

import ctypes

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import FD, number
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.syscalls.call import fail
from skelgen.runtime.syscalls.fd import checked_fd

if TYPE_CHECKING:
    from typing import Final

PROT_NONE: Final = 0
PROT_READ: Final = 1
PROT_WRITE: Final = 2
MAP_SHARED: Final = 1
MAP_PRIVATE: Final = 2
MAP_FIXED: Final = 0x10
MAP_ANONYMOUS: Final = 0x20
_MADV_POPULATE_WRITE: Final = 23
_U64: Final = (0, (1 << 64) - 1)
_S64: Final = (-1 << 63, (1 << 63) - 1)

# the C functions, because s390x passes the arguments of its system call in memory
_libc: Final = ctypes.CDLL(None, use_errno=True)
_mmap: Final = _libc["mmap"]
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_munmap: Final = _libc["munmap"]
_munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_mprotect: Final = _libc["mprotect"]
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_madvise: Final = _libc["madvise"]
_madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_FAILED: Final = ctypes.c_void_p(-1).value


def _range(address: int, length: int, what: str) -> tuple[int, int]:
    return (
        number(address, "address", _U64, what),
        number(length, "length", _U64, what),
    )


def mmap(
    address: int,
    length: int,
    protection: int,
    flags: int,
    fd: int = -1,
    offset: int = 0,
    *,
    what: str = "",
) -> int:
    """Map ``length`` bytes and return their address; 0 lets the kernel choose it."""
    result = _mmap(
        number(address, "address", _U64, what),
        number(length, "length", _U64, what),
        number(protection, "protection", FD, what),
        number(flags, "flags", FD, what),
        fd if fd == -1 else checked_fd(fd),
        number(offset, "offset", _S64, what),
    )
    if result == _FAILED:
        fail("mmap", ctypes.get_errno(), what or f"fd {fd}")
    return int(result)


def map_over(
    address: int,
    length: int,
    protection: int,
    flags: int,
    fd: int,
    *,
    contents: bytes = b"",
    what: str = "",
) -> None:
    """Map a file over private pages, or raise and leave private pages there.

    A mapping that fails may leave a hole where the old pages were (kernels before 6.12
    unmap first), so the file is mapped elsewhere first. If it then cannot be mapped
    here, new private pages with ``contents`` fill the hole.
    """
    munmap(mmap(0, length, protection, flags, fd, what=what), length, what=what)
    try:
        mmap(address, length, protection, flags | MAP_FIXED, fd, what=what)
    except BpfOSError:
        map_private(address, contents, length, what=what)
        raise


def map_private(address: int, contents: bytes, length: int, *, what: str = "") -> None:
    """Map pages of this process alone over others: ``contents``, then zeros."""
    flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS
    mmap(address, length, PROT_READ | PROT_WRITE, flags, what=what)
    ctypes.memmove(address, contents, min(len(contents), length))


def munmap(address: int, length: int, *, what: str = "") -> None:
    """Unmap ``length`` bytes."""
    if _munmap(*_range(address, length, what)) != 0:
        fail("munmap", ctypes.get_errno(), what or f"{length} bytes at {address:#x}")


def mprotect(address: int, length: int, protection: int, *, what: str = "") -> None:
    """Change the protection of ``length`` bytes."""
    if (
        _mprotect(
            *_range(address, length, what), number(protection, "protection", FD, what)
        )
        != 0
    ):
        fail("mprotect", ctypes.get_errno(), what or f"{length} bytes at {address:#x}")


def populate(address: int, length: int, *, what: str = "") -> None:
    """Get the pages of ``length`` mapped bytes, so that touching them is no SIGSEGV.

    ``MADV_POPULATE_WRITE``, Linux 5.14. EFAULT where there is no page to be had.
    """
    if _madvise(*_range(address, length, what), _MADV_POPULATE_WRITE) != 0:
        fail("madvise", ctypes.get_errno(), what or f"{length} bytes at {address:#x}")
