"""Struct_ops maps in use."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.arguments import checks_arguments
from skelgen.runtime import log, syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, NotSupportedError
from skelgen.runtime.links.base import Link, detach_at_last, tell_another
from skelgen.runtime.undo import last_step

if TYPE_CHECKING:
    from typing import Final


_KEY: Final = bytes(4)


class AttachedOps(Protocol):
    """The part of a struct_ops map that its links know."""

    @property
    def what(self) -> str:
        """Return what errors call it."""
        ...

    def fd(self) -> int:
        """Return its fd; raise where it is not loaded."""
        ...

    def loaded_value(self) -> bytes | bytearray:
        """Return the kernel's structure, with fds of programs in it."""
        ...


class StructOpsLink(Link):
    """A struct_ops map registered through a BPF link, Linux 6.4."""

    __slots__ = ("_what",)

    def __init__(self, fd: int, what: str = "") -> None:
        super().__init__(fd)
        self._what: Final = what

    @property
    def what(self) -> str:
        """Its name in errors."""
        return self._what or super().what

    @checks_arguments
    def update_map(self, ops: AttachedOps, *, old: AttachedOps | None = None) -> None:
        """Put another variable in place, with no gap: ``BPF_LINK_UPDATE``, Linux 6.4.

        With ``old`` only if that is the one in place now.
        """
        fd = ops.fd()
        set_value(fd, ops.loaded_value(), link=True, what=ops.what)
        old_fd = 0 if old is None else old.fd()
        try:
            syscalls.link_update(self.fd(), fd, old_fd=old_fd, what=self.what)
        except BpfOSError as error:
            if old is not None and error.errno == errno.EPERM:
                tell_another(
                    error,
                    lambda: self.info().map_id,
                    lambda: syscalls.map_info(old_fd).id,
                    old.what,
                )
            raise


class StructOpsRegistration(StructOpsLink):
    """A struct_ops map registered by setting its value, Linux 5.6.

    Its fd is the map's.
    """

    __slots__ = ()

    def pin(self, path: object) -> None:
        """Raise: it is no BPF link; pin the map instead."""
        del path
        raise self._no_link("pin the map")

    @checks_arguments
    def update_map(self, ops: AttachedOps, *, old: AttachedOps | None = None) -> None:
        """Raise: it is no BPF link; destroy it, then attach the other variable."""
        del ops, old
        raise self._no_link("destroy it and attach the other one")

    def _no_link(self, hint: str) -> NotSupportedError:
        return NotSupportedError(
            f'registered without a BPF link; {hint}, or use SEC(".struct_ops.link")',
            feature="BPF link",
            what=self.what,
        )

    def detach(self) -> None:
        """Unregister it; where that fails, it can be tried again."""
        if not self._fd.closed:
            syscalls.map_delete(self._fd.fileno(), _KEY, what=self.what)
            self._fd.close()

    def destroy(self) -> None:
        """Unregister it, once; in a forked child only forget it."""
        try:
            if self._mine():
                detach_at_last(self.detach)
        finally:
            self._fd.close()

    def __del__(self) -> None:
        if not hasattr(self, "_what"):  # the constructor did not come that far
            return
        last_step(self.destroy)


def attach_struct_ops(
    map_fd: int, value: bytes | bytearray, *, link: bool, what: str
) -> StructOpsLink:
    """Set a struct_ops map's value and register it.

    ``value`` is the kernel's structure with program fds in it; ``link`` says that
    the map was made with ``BPF_F_LINK``.
    """
    if link:
        set_value(map_fd, value, link=True, what=what)
        return StructOpsLink(syscalls.link_create_struct_ops(map_fd, what=what), what)
    with syscalls.Fd(syscalls.dup(map_fd, what=what)) as fd:
        # last: who has registered it has to be able to unregister it
        try:
            set_value(map_fd, value, link=False, what=what)
        except BaseException as error:
            if not isinstance(error, Exception):  # an interrupt, which comes after it
                try:
                    StructOpsRegistration(fd.detach(), what).destroy()
                except BpfError as late:
                    log.debug("%s: cannot unregister: %s", what, late)
            raise
        return StructOpsRegistration(fd.detach(), what)


def set_value(map_fd: int, value: bytes | bytearray, *, link: bool, what: str) -> None:
    """Give a struct_ops map its value, which registers it where it has no link."""
    try:
        syscalls.map_update(map_fd, _KEY, value, what=what)
    except BpfOSError as error:
        if not link or error.errno != errno.EBUSY:  # EBUSY: it was set before
            raise
