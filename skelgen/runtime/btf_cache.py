"""The index of the kernel's BTF on disk, for the next process.

``$XDG_CACHE_HOME/skelgen`` or ``~/.cache/skelgen``, for root ``/var/cache/skelgen``,
which others read too; ``$SKELGEN_CACHE`` and nothing else where it is set.
The cache only ever saves time: what cannot be read, belongs to someone else, can be
written by someone else or is broken is not used, what cannot be written is not kept.
A file is for one build of the kernel, and holds a checksum of the BTF and of itself.
"""

import os
import stat
from binascii import crc32
from mmap import mmap
from struct import Struct
from typing import TYPE_CHECKING

from skelgen.btf.errors import BtfParseError
from skelgen.btf.kernel import KernelBtf
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = Struct("=8sI4x")
_MAGIC = b"skelidx\1"
_SYSTEM = "/var/cache/skelgen"


def load(data: bytes | mmap) -> KernelBtf:
    """Return kernel BTF with its index, from the cache or built and kept there."""
    name = _file_name(len(data))
    directories = _directories()
    for directory in directories:
        index = _read(directory, name)
        if index is not None:
            try:
                return KernelBtf.from_index(data, index)
            except BtfParseError as error:
                debug("BTF cache: '%s/%s': %s", directory, name, error)
    btf = KernelBtf(data)
    for directory in directories:
        if _write(directory, name, btf.index_bytes):
            break
    return btf


def _file_name(size: int) -> str:
    uname = os.uname()
    build = crc32(f"{uname.version} {uname.machine}".encode())
    release = uname.release.replace("/", "_")
    return f"vmlinux-{release}-{build:08x}-{size}"


def _directories() -> list[str]:
    """Return the folders to look into, the first one that works to be written."""
    own = os.environ.get("SKELGEN_CACHE")
    if own is not None:
        return [own] if os.path.isabs(own) else []
    found: list[str] = []
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        found.append(os.path.join(base, "skelgen"))
    elif os.geteuid() != 0:
        home = os.path.expanduser("~")
        if os.path.isabs(home):
            found.append(os.path.join(home, ".cache", "skelgen"))
    found.append(_SYSTEM)
    return found


def _safe(status: os.stat_result) -> bool:
    """Whether nobody else can have written something."""
    return status.st_uid in {0, os.geteuid()} and not status.st_mode & (
        stat.S_IWGRP | stat.S_IWOTH
    )


def _read(directory: str, name: str) -> memoryview | None:
    """Return the index in a file, or None where there is none to be trusted."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        folder = os.open(directory, flags | os.O_DIRECTORY)
        try:
            fd = os.open(name, flags, dir_fd=folder)
        finally:
            trusted = _safe(os.fstat(folder))
            os.close(folder)
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not trusted or not stat.S_ISREG(status.st_mode) or not _safe(status):
                debug("BTF cache: '%s' can be written by others", directory)
                return None
            # not mapped: a file that is cut short would kill the process
            data = memoryview(file.read())
    except OSError as error:
        debug("BTF cache: '%s/%s': %s", directory, name, error)
        return None
    if len(data) < _HEADER.size:
        return None
    magic, checksum = _HEADER.unpack_from(data)
    index = data[_HEADER.size :]
    if magic != _MAGIC or checksum != crc32(index):
        debug("BTF cache: '%s/%s' is broken", directory, name)
        return None
    return index


def _write(directory: str, name: str, make: "Callable[[], bytes]") -> bool:
    """Put an index into a folder, at once or not at all; return whether it is there."""
    folder = -1
    try:
        if not os.path.isdir(directory):
            parent = os.path.dirname(directory)
            os.makedirs(parent, exist_ok=True)
            os.mkdir(directory, 0o755)
        folder = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        status = os.fstat(folder)
        if status.st_uid != os.geteuid() or not _safe(status):
            return False
        _replace(folder, name, make)
    except OSError as error:
        debug("BTF cache: '%s' cannot be written: %s", directory, error)
        return False
    finally:
        if folder >= 0:
            os.close(folder)
    return True


def _replace(folder: int, name: str, make: "Callable[[], bytes]") -> None:
    """Write a file beside the final one and move it there."""
    partial = f".{name}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(partial, flags, 0o644, dir_fd=folder)
    try:
        with open(fd, "wb") as file:
            index = make()
            file.write(_HEADER.pack(_MAGIC, crc32(index)))
            file.write(index)
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(partial, dir_fd=folder)
        raise
