"""Pins: paths of a bpffs that keep maps and programs in the kernel."""

import errno
import os
from typing import Final

from skelgen.runtime import syscalls
from skelgen.runtime.errors import describe, os_error

_DIRECTORY_MODE: Final = 0o700


def pin(fd: int, path: str, what: str) -> bool:
    """Pin what an fd leads to; return whether the path's directory was made for it.

    Only the last directory is made, as libbpf does. Raises :class:`BpfOSError`, and
    leaves no directory behind then.
    """
    made = _make_directory(path, what)
    try:
        syscalls.obj_pin(fd, path, what=what)
    except BaseException:
        if made:
            os.rmdir(os.path.dirname(path))
        raise
    return made


def unpin(path: str, *, directory: bool) -> None:
    """Remove a pin, and the directory that was made for it if nothing else is in it."""
    os.unlink(path)
    if directory:
        try:
            os.rmdir(os.path.dirname(path))
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise


def _make_directory(path: str, what: str) -> bool:
    parent = os.path.dirname(path)
    if not parent or os.path.isdir(parent):
        return False
    try:
        os.mkdir(parent, _DIRECTORY_MODE)
    except FileExistsError:  # another process was faster
        return False
    except OSError as error:
        number = error.errno or 0
        reason = (
            f"directory '{os.path.dirname(parent)}' does not exist; make it with"
            f" 'mkdir -p {parent}', or choose another with open(pin_root=...)"
            if number == errno.ENOENT
            else f"its directory cannot be made: {describe(number)}"
        )
        raise os_error(
            number,
            f"cannot be pinned at '{path}': {reason}",
            command="BPF_OBJ_PIN",
            what=what,
        ) from error
    return True
