"""Pins: paths of a bpffs that keep maps and programs in the kernel."""

from __future__ import annotations

import errno
import os

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls
from skelgen.runtime.errors import describe, os_error
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from typing import Final

_DIRECTORY_MODE: Final = 0o700


def checked_path(path: str | os.PathLike[str], whose: str) -> str:
    """Return a path as text; TypeError or ValueError for what cannot be one.

    ``whose`` it is goes before what errors say. A NUL would end the path before its
    end in the kernel.
    """
    if not isinstance(
        path, (str, os.PathLike)
    ):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{whose} must be a path, got {type(path).__name__}")
    text = os.fspath(path)
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{whose} must be a path as str, got {type(text).__name__}")
    if not text:
        raise ValueError(f"{whose} is empty")
    if "\0" in text:
        raise ValueError(f"{whose} must have no NUL, got {text!r}")
    return text


def pin(fd: int, path: str, what: str) -> bool:
    """Pin what an fd leads to; return whether the path's directory was made for it.

    Only the last directory is made, as libbpf does. Raises :class:`BpfOSError`, and
    leaves no directory behind then.
    """
    made = make_directory(path, what)
    try:
        syscalls.obj_pin(fd, path, what=what)
    except BaseException as error:
        if made:
            remove_directory(path)
        if isinstance(error, FileExistsError):
            error.add_note(_in_the_way(path))
        raise
    return made


def _in_the_way(path: str) -> str:
    """Return a hint for a path where something is already."""
    if os.path.isdir(path):
        return f"this is a directory: add a name, like '{os.path.join(path, 'NAME')}'"
    return "something is pinned there: remove it, or choose another path"


def unpin(path: str, *, directory: bool) -> None:
    """Remove a pin, and the directory that was made for it if nothing else is in it."""
    try:
        remove(path, "pin")
    finally:
        if directory:
            remove_directory(path)


def remove(path: str, what: str) -> None:
    """Remove a pin, and nothing but it. Raises :class:`BpfOSError`."""
    try:
        os.unlink(path)
    except OSError as error:
        whose = f"{what} at '{path}'"
        raise os_error(error.errno or 0, command="unlink", what=whose) from error


def remove_directory(path: str) -> None:
    """Remove the directory of a pin, unless others have theirs there too."""
    try:
        os.rmdir(os.path.dirname(path))
    except OSError as error:
        debug("%s: %s", path, error)


def make_directory(path: str, what: str) -> bool:
    """Make the last directory of a pin's path; return whether it was missing."""
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
            f" 'mkdir -p {parent}', or choose another place"
            " (maps pinned by name: open(pin_root=...))"
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
