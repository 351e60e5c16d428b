"""Struct_ops maps in use."""

import errno
from typing import Final

from skelgen.runtime import log, syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.runtime.links.base import Link

_KEY: Final = bytes(4)


class StructOpsLink(Link):
    """A struct_ops map registered through a BPF link, Linux 6.4."""

    __slots__ = ("_what",)

    def __init__(self, fd: int, what: str = "struct_ops link") -> None:
        super().__init__(fd)
        self._what: Final = what

    @property
    def what(self) -> str:
        """How errors call it."""
        return self._what

    def update_map(self, map_fd: int, *, old_map_fd: int = 0) -> None:
        """Put another map in place, with no gap (its value has been set before)."""
        syscalls.link_update(self.fd(), map_fd, old_fd=old_map_fd, what=self._what)


class StructOpsRegistration(StructOpsLink):
    """A struct_ops map registered by setting its value, Linux 5.6.

    Its fd is the map's.
    """

    __slots__ = ()

    def pin(self, path: object) -> None:
        """Raise: it is no BPF link; pin the map instead."""
        del path
        raise NotSupportedError(
            'registered without a BPF link; pin the map, or use SEC(".struct_ops.link")',
            feature="BPF link",
            what=self._what,
        )

    def detach(self) -> None:
        """Unregister it."""
        if not self._fd.closed:
            with self._fd:
                syscalls.map_delete(self._fd.fileno(), _KEY, what=self._what)

    def destroy(self) -> None:
        """Unregister it, once; in a forked child only forget it."""
        if self._mine():
            self.detach()
        self._fd.close()

    def __del__(self) -> None:
        if not hasattr(self, "_what"):  # the constructor did not come that far
            return
        try:
            self.destroy()
        except Exception as error:  # noqa: BLE001 (nobody could catch it)
            log.debug("cannot unregister: %s", error)


def attach_struct_ops(
    map_fd: int, value: bytes | bytearray, *, link: bool, what: str
) -> StructOpsLink:
    """Set a struct_ops map's value and register it.

    ``value`` is the kernel's structure with program fds in it; ``link`` says that
    the map was made with ``BPF_F_LINK``.
    """
    try:
        syscalls.map_update(map_fd, _KEY, value, what=what)
    except BpfOSError as error:
        if not link or error.errno != errno.EBUSY:  # EBUSY: it was set before
            raise
    if link:
        return StructOpsLink(syscalls.link_create_struct_ops(map_fd, what=what), what)
    return StructOpsRegistration(syscalls.dup(map_fd), what)
