"""The base classes of links."""

from __future__ import annotations

import errno
import os

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.arguments import checks_arguments
from skelgen.plain import plain
from skelgen.runtime import syscalls
from skelgen.runtime.errors import (
    BpfError,
    BpfOSError,
    ClosedError,
    NotSupportedError,
    StateError,
)
from skelgen.runtime.listing import Live
from skelgen.runtime.log import debug
from skelgen.runtime.pins import checked_path, remove

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, Self

    from skelgen.runtime.errors import AttachError
    from skelgen.runtime.syscalls import LinkInfo, ProgInfo

# errnos of links that cannot be detached, and of kernels before Linux 5.9
_CANNOT_DETACH: Final = frozenset((errno.EOPNOTSUPP, errno.EINVAL))


class AttachedProgram(Protocol):
    """The part of a program that links know."""

    @property
    def name(self) -> str:
        """Return its name in the object."""
        ...

    @property
    def what(self) -> str:
        """Return what errors call it."""
        ...

    def fd(self) -> int:
        """Return its fd; raise where it is not loaded."""
        ...

    def info(self) -> ProgInfo:
        """Return what the kernel says of it."""
        ...

    def attach_error(self, message: str) -> AttachError:
        """Return an error about attaching it."""
        ...


class Link(Live):
    """A program that is attached: a BPF link, which lasts as long as its fd.

    Close it with :meth:`destroy`, as a context manager, or by dropping it. The
    program then stays attached only where the link is pinned or another process has
    it too: a forked child, for one; :meth:`detach` ends that.
    """

    __slots__ = ("__weakref__", "_fd", "_pid", "_pin_path", "program")
    _internal = frozenset(("what",))

    def __init__(self, fd: int, program: AttachedProgram | None = None) -> None:
        self.program: AttachedProgram | None = program
        """The attached program; ``None`` for a link opened from a path, and for maps."""
        self._fd: Final = syscalls.Fd(fd)
        self._pid: Final = os.getpid()
        self._pin_path: str | None = None

    @classmethod
    @checks_arguments
    def from_pin(cls, path: str | os.PathLike[str]) -> Self:
        """Open a link pinned under a path of a bpffs, Linux 5.7.

        Raises BpfOSError, and BpfError where something else is pinned.
        """
        place = checked_path(path, "link: path")
        link = cls(syscalls.obj_get(place, what=f"link at '{plain(place)}'"))
        kind = syscalls.fd_kind(link.fd())
        if kind is not None and kind != "link":
            link.destroy()
            raise BpfError(f"a {kind} is pinned at '{plain(place)}', and no link")
        link._pin_path = place
        return link

    @property
    def what(self) -> str:
        """Its name in errors."""
        if self.program is not None:
            return f"link of {self.program.what}"
        if self._pin_path is not None:
            return f"link at '{plain(self._pin_path)}'"
        return "link"

    @property
    def destroyed(self) -> bool:
        """Whether :meth:`destroy` or :meth:`detach` was called."""
        return self._fd.closed

    @property
    def pin_path(self) -> str | None:
        """Where it is pinned, ``None`` when it is not."""
        return self._pin_path

    def fd(self) -> int:
        """Return the file descriptor, which stays the link's."""
        if self._fd.closed:
            raise ClosedError(f"{self.what}: destroyed already")
        return self._fd.fileno()

    fileno = fd

    def info(self) -> LinkInfo:
        """Return what the kernel tells about the link, Linux 5.8."""
        return syscalls.link_info(self.fd(), what=self.what)

    @checks_arguments
    def update(
        self, program: AttachedProgram, *, old: AttachedProgram | None = None
    ) -> None:
        """Put another program in place, with no gap: ``BPF_LINK_UPDATE``, Linux 5.7.

        With ``old`` only if that one is in place (``EPERM``). The kernel can do it
        for cgroup, xdp, tcx, netkit, netns and iter links.
        """
        old_fd = 0 if old is None else old.fd()
        try:
            syscalls.link_update(self.fd(), program.fd(), old_fd=old_fd, what=self.what)
        except BpfOSError as error:
            if old is not None and error.errno == errno.EPERM:
                tell_another(
                    error,
                    lambda: self.info().prog_id,
                    lambda: old.info().id,
                    old.what,
                )
            raise
        self.program = program

    @checks_arguments
    def pin(self, path: str | os.PathLike[str]) -> None:
        """Keep it attached, also after this process, under a path of a bpffs."""
        if self._pin_path is not None:
            raise StateError(f"{self.what}: pinned already, at '{self._pin_path}'")
        place = checked_path(path, f"{self.what}: path")
        syscalls.obj_pin(self.fd(), place, what=self.what)
        self._pin_path = place

    def unpin(self) -> None:
        """Remove the pin; the program stays attached as long as this link.

        The kernel lets go of what was pinned a moment later, so a link that is destroyed
        at once may still run its program a few times.
        """
        if self._pin_path is None:
            raise StateError(f"{self.what}: not pinned")
        remove(self._pin_path, self.what)
        self._pin_path = None

    def detach(self) -> None:
        """Detach for everyone, pins and other processes too, and destroy the link.

        ``BPF_LINK_DETACH``, Linux 5.9. The kernel can do it for cgroup, xdp, tcx,
        netkit, netns, netfilter and struct_ops links; others are destroyed only.
        """
        if self._fd.closed:
            return
        try:
            syscalls.link_detach(self._fd.fileno(), what=self.what)
        except BpfOSError as error:
            if error.errno not in _CANNOT_DETACH:
                raise
        self.destroy()

    def destroy(self) -> None:
        """Close the link, once; see the class for what becomes of the program."""
        self._fd.close()

    def _mine(self) -> bool:
        """Return whether this process made it, rather than got it by a fork."""
        return self._pid == os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.destroy()

    def __repr__(self) -> str:
        what = self.what.removeprefix("link").lstrip()
        if not what and not self._fd.closed:
            what = f"fd {self._fd.fileno()}"
        state = "destroyed" if self._fd.closed else "attached"
        return f"<{f'{type(self).__name__} {what}'.rstrip()}: {state}>"


class NoBpfLink(Link):
    """A program that is attached in a way of old, without a BPF link."""

    __slots__ = ()
    _how = "it was attached"
    """The start of the message."""

    def info(self) -> LinkInfo:
        """Raise: only BPF links have it."""
        raise self._no_link("information")

    def update(
        self, program: AttachedProgram, *, old: AttachedProgram | None = None
    ) -> None:
        """Raise: only BPF links have it."""
        del program, old
        raise self._no_link("updates")

    def pin(self, path: object) -> None:
        """Raise: only BPF links have it."""
        del path
        raise self._no_link("pins")

    def _feature(self) -> tuple[str, str]:
        """Return the feature that is missing, and the kernel that has it first."""
        return "BPF link", ""

    def _no_link(self, thing: str) -> NotSupportedError:
        feature, since = self._feature()
        return NotSupportedError(
            f"{self._how} without a BPF link, so there are no {thing}",
            feature=feature,
            since=since,
            what=self.what,
        )


def detach_at_last(detach: Callable[[], None]) -> None:
    """Detach a program that would stay attached for good; try twice."""
    try:
        detach()
    except BaseException as error:
        debug("once more: %s", error)
        detach()
        if not isinstance(error, BpfError):  # an interrupt
            raise


def tell_another(
    error: BpfOSError,
    there: Callable[[], int | None],
    named: Callable[[], int],
    what: str,
) -> None:
    """Say of an update that another is in place than was named, if it is so.

    ``there`` and ``named`` return kernel ids.
    """
    try:
        found, wanted = there(), named()
    except BpfError:
        return
    if found is not None and found != wanted:
        note = f"what is in place has id {found}, and not {wanted} as {what}"
        error.__notes__ = [note]  # and no word of rights
