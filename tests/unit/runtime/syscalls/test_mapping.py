"""Mapping a file over pages, which must never leave a hole."""

import ctypes
import mmap
import os
from collections.abc import Iterator
from typing import Any

import pytest

from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.syscalls import mapping

SIZE = mmap.PAGESIZE


@pytest.fixture
def file() -> Iterator[int]:
    """Yield an fd of a page of ``f``."""
    fd = os.memfd_create("page")
    os.write(fd, b"f" * SIZE)
    yield fd
    os.close(fd)


def over(pages: mmap.mmap, fd: int) -> None:
    syscalls.map_over(
        ctypes.addressof(ctypes.c_char.from_buffer(pages)),
        SIZE,
        syscalls.PROT_READ | syscalls.PROT_WRITE,
        syscalls.MAP_SHARED,
        fd,
        contents=bytes(pages),
    )


def test_a_file_is_mapped_over_pages(file: int) -> None:
    pages = mmap.mmap(-1, SIZE)
    over(pages, file)
    assert pages[:3] == b"fff"
    pages[:3] = b"new"
    assert os.pread(file, 3, 0) == b"new"


def test_a_file_that_cannot_be_mapped_leaves_the_pages(file: int) -> None:
    pages = mmap.mmap(-1, SIZE)
    pages[:4] = b"kept"
    read_end, write_end = os.pipe()
    with pytest.raises(BpfOSError, match="mmap"):
        over(pages, read_end)
    assert pages[:5] == b"kept\0"
    os.close(read_end)
    os.close(write_end)


def test_a_hole_is_filled_with_the_contents(
    file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = mmap.mmap(-1, SIZE)
    pages[:4] = b"kept"
    real = mapping._mmap
    failed: list[int] = []

    def fail_over(address: int, size: int, prot: int, flags: int, *more: int) -> Any:
        if flags == syscalls.MAP_SHARED | syscalls.MAP_FIXED:
            syscalls.munmap(address, size)  # as kernels before 6.12 do
            ctypes.set_errno(12)
            failed.append(address)
            return mapping._FAILED
        return real(address, size, prot, flags, *more)

    monkeypatch.setattr(mapping, "_mmap", fail_over)
    with pytest.raises(BpfOSError, match="mmap: cannot allocate memory"):
        over(pages, file)
    assert failed
    assert pages[:5] == b"kept\0"
