"""Opening a file in whose place somebody may have put a FIFO or a device.

``open()`` of a FIFO waits until somebody writes to it, which may be never. Both halves
use this, so it imports neither.
"""

import errno
import os
import stat


def open_regular(
    path: "str | bytes | os.PathLike[str] | os.PathLike[bytes]",
    *,
    dir_fd: int | None = None,
    follow: bool = True,
) -> int:
    """Open a regular file for reading, without waiting for anything; return the fd.

    ``follow`` says whether the last part of ``path`` may be a symbolic link. Raises
    ``OSError``; with ``EINVAL`` where there is something else than a regular file.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(path, flags if follow else flags | os.O_NOFOLLOW, dir_fd=dir_fd)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    is_folder = stat.S_ISDIR(os.fstat(fd).st_mode)
    os.close(fd)
    if is_folder:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "no regular file", path)


def read_regular(path: "str | bytes | os.PathLike[str] | os.PathLike[bytes]") -> bytes:
    """Return what is in a regular file. Raises as :func:`open_regular` does."""
    with open(open_regular(path), "rb") as file:
        return file.read()
