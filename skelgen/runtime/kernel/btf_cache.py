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


def indexed(data: bytes | mmap) -> KernelBtf:
    """Return kernel BTF with its index, from the cache or built and kept there."""
    with step("kernel BTF") as this:
        return _indexed(data, this)


def _indexed(data: bytes | mmap, this: Step) -> KernelBtf:
    name = _file_name(len(data))
    for folder, index in _cache.found(name):
        try:
            btf = KernelBtf.from_index(data, index)
        except BtfParseError as error:
            debug("BTF cache: '%s/%s': %s", folder, name, error)
        else:
            this.done("index read from '%s/%s'", folder, name)
            return btf
    btf = KernelBtf(data)
    kept_in = _cache.keep(name, btf.index_bytes)
    if kept_in is None:
        this.done("index made, and kept nowhere")
    else:
        this.done("index made, kept as '%s/%s'", kept_in, name)
    return btf


def _file_name(size: int) -> str:
    uname = os.uname()
    build = crc32(f"{uname.version} {uname.machine}".encode())
    release = uname.release.replace("/", "_")
    return f"vmlinux-{release}-{build:08x}-{size}"
