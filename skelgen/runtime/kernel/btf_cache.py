"""The index of the kernel's BTF, kept for the next process by :mod:`skelgen._cache`.

A file is for one build of the kernel, and holds a checksum of the BTF.
"""

import os
from binascii import crc32
from mmap import mmap

from skelgen import _cache
from skelgen.btf.errors import BtfParseError
from skelgen.btf.index import KernelBtf
from skelgen.runtime.log import Step, debug, step


def load(data: bytes | mmap) -> KernelBtf:
    """Return kernel BTF with its index, from the cache or built and kept there."""
    with step("kernel BTF") as this:
        return _load(data, this)


def _load(data: bytes | mmap, this: Step) -> KernelBtf:
    name = _file_name(len(data))
    directories = _cache.directories()
    for directory in directories:
        index = _cache.read(directory, name)
        if index is not None:
            try:
                found = KernelBtf.from_index(data, index)
            except BtfParseError as error:
                debug("BTF cache: '%s/%s': %s", directory, name, error)
            else:
                this.done("index read from '%s/%s'", directory, name)
                return found
    btf = KernelBtf(data)
    for directory in directories:
        if _cache.write(directory, name, btf.index_bytes):
            this.done("index made, kept as '%s/%s'", directory, name)
            break
    else:
        this.done("index made, and kept nowhere")
    return btf


def _file_name(size: int) -> str:
    uname = os.uname()
    build = crc32(f"{uname.version} {uname.machine}".encode())
    release = uname.release.replace("/", "_")
    return f"vmlinux-{release}-{build:08x}-{size}"
