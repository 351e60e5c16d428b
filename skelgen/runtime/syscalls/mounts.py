"""``fsopen(2)``, ``fsconfig(2)``, ``fsmount(2)``, Linux 5.2: a mount of one's own."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import FD, number
from skelgen.runtime.syscalls.buffers import Memory
from skelgen.runtime.syscalls.call import fail, syscall
from skelgen.runtime.syscalls.fd import good_fd
from skelgen.runtime.syscalls.numbers import NR_FSCONFIG, NR_FSMOUNT, NR_FSOPEN

if TYPE_CHECKING:
    from typing import Final

FSCONFIG_SET_STRING: Final = 1
FSCONFIG_CMD_CREATE: Final = 6
_CLOEXEC: Final = 1  # FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC


def fsopen(filesystem: str) -> int:
    """Open a context for a file system such as ``tracefs``; return its fd."""
    memory = Memory()
    result, error = syscall(NR_FSOPEN, memory.text(filesystem, "filesystem"), _CLOEXEC)
    if result < 0:
        fail("fsopen", error, f"file system '{filesystem}'")
    return good_fd(result)


def fsconfig(fd: int, command: int, key: str | None = None, value: str = "") -> None:
    """Set one parameter of a context, or make the superblock."""
    memory = Memory()
    key_address = 0 if key is None else memory.text(key, "key")
    value_address = 0 if key is None else memory.text(value, "value")
    result, error = syscall(
        NR_FSCONFIG,
        number(fd, "fd", FD),
        number(command, "command", FD),
        key_address,
        value_address,
        0,
    )
    if result < 0:
        fail("fsconfig", error, f"file system context {fd}")


def fsmount(fd: int, attributes: int = 0) -> int:
    """Mount a context and return the fd of its root.

    The mount is in no namespace and no path leads to it; it goes with its last fd.
    """
    result, error = syscall(
        NR_FSMOUNT,
        number(fd, "fd", FD),
        _CLOEXEC,
        number(attributes, "attributes", FD),
    )
    if result < 0:
        fail("fsmount", error, f"file system context {fd}")
    return good_fd(result)
