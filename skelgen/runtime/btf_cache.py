"""The index of the kernel's BTF, kept for the next process by :mod:`skelgen.cache`.

A file is for one build of the kernel, and holds a checksum of the BTF.
"""

import os
from binascii import crc32
from mmap import mmap

from skelgen import cache
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kernel import KernelBtf
from skelgen.runtime.log import debug


def load(data: bytes | mmap) -> KernelBtf:
    """Return kernel BTF with its index, from the cache or built and kept there."""
    name = _file_name(len(data))
    directories = cache.directories()
    for directory in directories:
        index = cache.read(directory, name)
        if index is not None:
            try:
                return KernelBtf.from_index(data, index)
            except BtfParseError as error:
                debug("BTF cache: '%s/%s': %s", directory, name, error)
    btf = KernelBtf(data)
    for directory in directories:
        if cache.write(directory, name, btf.index_bytes):
            break
    return btf


def _file_name(size: int) -> str:
    uname = os.uname()
    build = crc32(f"{uname.version} {uname.machine}".encode())
    release = uname.release.replace("/", "_")
    return f"vmlinux-{release}-{build:08x}-{size}"
