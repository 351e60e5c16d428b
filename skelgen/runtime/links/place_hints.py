"""Hints why a cgroup, namespace or map refused a program."""

from __future__ import annotations

import errno
import os

from skelgen._typing import TYPE_CHECKING
from skelgen.model import map_types
from skelgen.model.constants import name_of
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_ALLOW_MULTI, BPF_F_ALLOW_OVERRIDE
from skelgen.near_names import did_you_mean
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError
from skelgen.runtime.syscalls import rights

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.errors import BpfOSError
    from skelgen.runtime.links.base import AttachedProgram

_CGROUP2: Final = 0x63677270
_NSFS: Final = 0x6E736673
_NS_GET_NSTYPE: Final = 0xB703
_CLONE_NEWNET: Final = 0x40000000
_DEEPEST: Final = 64

NAMESPACES: Final = (
    "those of the network are at /run/netns/NAME (ip netns) and /proc/PID/ns/net"
)
"""A hint where network namespaces are found."""
STALE: Final = (
    "what is attached there has changed since expected_revision was read; ask again"
    " (syscalls.prog_query)"
)
"""For the error ``ESTALE`` of a hook that counts its changes."""


# -- control groups ------------------------------------------------------------


def explain_cgroup(
    error: BpfOSError, program: AttachedProgram, cgroup: str | int, fd: int, hook: int
) -> None:
    """Raise :class:`AttachError` for what is no cgroup; add a note on what is there."""
    if error.errno == errno.EBADF and not is_cgroup2(fd):
        raise program.attach_error(no_cgroup(cgroup)) from error
    if error.errno == errno.ESTALE:
        error.add_note(STALE)
    if error.errno == errno.EPERM:
        alone = _alone(fd, hook)
        if alone is not None:
            error.__notes__ = [alone]


def is_cgroup2(fd: int) -> bool:
    """Return whether an fd is of a cgroup file system of version 2."""
    return rights.file_system(f"/proc/self/fd/{fd}") == _CGROUP2


def no_cgroup(cgroup: str | int) -> str:
    """Return what to say of a path or fd that is no cgroup."""
    name = f"fd {cgroup}" if isinstance(cgroup, int) else f"'{cgroup}'"
    return f"{name} is no control group of version 2; {_where_cgroups_are()}"


def missing_cgroup(path: str) -> str:
    """Return what to say of a path where nothing is: names that are near."""
    parent, name = os.path.split(path.rstrip("/"))
    try:
        with os.scandir(parent or ".") as entries:
            near = did_you_mean(name, [each.name for each in entries if each.is_dir()])
    except OSError:
        near = ""
    hint = near or "mkdir makes a control group"
    return f"control groups of version 2: {_where_cgroups_are()}; {hint}"


def _where_cgroups_are() -> str:
    mounts = rights.mounts("cgroup2")
    if not mounts:
        return "none is mounted here: mount -t cgroup2 none DIRECTORY"
    if len(mounts) == 1:
        return f"the mount point is {mounts[0]} here"
    return f"the mount points are {', '.join(mounts)} here"


def _alone(fd: int, hook: int) -> str | None:
    """Return what is attached at a cgroup or above it so that nothing else may be."""
    try:
        path = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return None
    own = True
    for _ in range(_DEEPEST):
        query = _query(path, hook)
        if query is None:
            return None
        if query.prog_ids and not query.attach_flags & BPF_F_ALLOW_MULTI:
            if own or not query.attach_flags & BPF_F_ALLOW_OVERRIDE:
                return (
                    f"a program is attached to '{path}' without BPF_F_ALLOW_MULTI (id"
                    f" {query.prog_ids[0]}): others can be once it is detached"
                )
        elif query.prog_ids and not own:
            return None
        own, path = False, os.path.dirname(path)
    return None


def _query(path: str, hook: int) -> syscalls.ProgQuery | None:
    try:
        with syscalls.Fd(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as fd:
            if not is_cgroup2(fd.fileno()):
                return None
            return syscalls.prog_query(fd.fileno(), hook)
    except (BpfError, OSError):
        return None


# -- network namespaces --------------------------------------------------------


def explain_netns(error: BpfOSError, fd: int) -> None:
    """Add a note to the error of a program that a namespace did not take."""
    if error.errno == errno.EEXIST:
        error.add_note(
            "a program of that kind is attached already, here or in the initial network"
            " namespace"
        )
    elif error.errno in {errno.EINVAL, errno.EBADF} and not _is_netns(fd):
        error.add_note(f"that is no network namespace: {NAMESPACES}")


def _is_netns(fd: int) -> bool:
    if rights.file_system(f"/proc/self/fd/{fd}") != _NSFS:
        return False
    try:
        return syscalls.ioctl(fd, _NS_GET_NSTYPE) == _CLONE_NEWNET
    except BpfError:  # before Linux 4.11
        return True


# -- maps ----------------------------------------------------------------------


def explain_map(error: BpfOSError, fd: int, iterator: str) -> None:
    """Add a note to the error of a program that a map did not take.

    It takes the types that an iterator walks: programs of sockets those of ``sockmap``.
    """
    if error.errno not in {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP}:
        return
    kinds = [kind for kind in MapType if map_types.row(kind).iterator == iterator]
    wanted = ", ".join(kind.name for kind in kinds)
    number = _map_type(fd)
    if number is None:
        error.add_note(f"fd {fd} is no map; it takes one of type {wanted}")
        return
    if number not in kinds:
        name = name_of(number, MapType)
        error.add_note(f"the map is of type {name}; it takes {wanted}")


def _map_type(fd: int) -> int | None:
    """Return the type of a map, ``None`` for an fd of something else."""
    try:
        return syscalls.map_info(fd).type if syscalls.fd_kind(fd) == "map" else None
    except (BpfError, OSError):
        return None
