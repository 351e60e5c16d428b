"""Files that save time in the next process: an index of BTF, a header made from it.

``$XDG_CACHE_HOME/skelgen`` or ``~/.cache/skelgen``, for root ``/var/cache/skelgen``,
which others read too; ``$SKELGEN_CACHE`` and nothing else where it is set.
The cache only ever saves time: what cannot be read, belongs to someone else, can be
written by someone else or is broken is not used, what cannot be written is not kept.
A file holds a checksum of itself; its name says what it was made from. Of kernels come
and gone nothing stays for ever: to write a file removes those of half a year ago.

Both halves use it, so it imports neither.
"""

import os
import stat
import time
from binascii import crc32
from struct import Struct

from skelgen._log import debug
from skelgen.regular import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEADER = Struct("=8sI4x")
_MAGIC = b"skelidx\1"
_SYSTEM = "/var/cache/skelgen"
_NAMES = ("btf-", "vmlinux-", ".btf-", ".vmlinux-")  # with "." before: half written
_OLD = 180 * 86400  # seconds


def kept(name: str, make: "Callable[[], bytes]") -> "bytes | memoryview":
    """Return what the cache has under a name, or make it and keep it there."""
    for _, data in found(name):
        return data
    made = make()
    keep(name, lambda: made)
    return made


def found(name: str) -> "Iterator[tuple[str, memoryview]]":
    """Iterate over the files of a name that can be trusted: folder and contents."""
    for folder in directories():
        data = read(folder, name)
        if data is not None:
            yield folder, data


def keep(name: str, make: "Callable[[], bytes]") -> str | None:
    """Write a file into the first folder that takes it, and return that folder."""
    for folder in directories():
        if write(folder, name, make):
            return folder
    return None


def directories() -> list[str]:
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


def read(directory: str, name: str) -> memoryview | None:
    """Return what is in a file, or None where there is none to be trusted."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        folder = os.open(directory, flags | os.O_DIRECTORY)
        try:
            fd = open_regular(name, dir_fd=folder, follow=False)
        finally:
            trusted = _safe(os.fstat(folder))
            os.close(folder)
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not trusted or not _safe(status):
                debug("cache: '%s' can be written by others", directory)
                return None
            # not mapped: a file that is cut short would kill the process
            data = memoryview(file.read())
    except OSError as error:
        debug("cache: '%s/%s': %s", directory, name, error)
        return None
    if len(data) < _HEADER.size:
        return None
    magic, checksum = _HEADER.unpack_from(data)
    kept = data[_HEADER.size :]
    if magic != _MAGIC or checksum != crc32(kept):
        debug("cache: '%s/%s' is broken", directory, name)
        return None
    return kept


def write(directory: str, name: str, make: "Callable[[], bytes]") -> bool:
    """Put a file into a folder, at once or not at all; return whether it is there."""
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
        _prune(folder)
    except OSError as error:
        debug("cache: '%s' cannot be written: %s", directory, error)
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
            data = make()
            file.write(_HEADER.pack(_MAGIC, crc32(data)))
            file.write(data)
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(partial, dir_fd=folder)
        raise


def _prune(folder: int) -> None:
    """Remove files that were written long ago; a user's own have other names."""
    before = time.time() - _OLD
    for name in os.listdir(folder):
        if not name.startswith(_NAMES):
            continue
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                os.unlink(name, dir_fd=folder)
        except OSError as error:  # another process was quicker
            debug("cache: '%s' stays: %s", name, error)
