"""``bpf(2)`` commands on objects of every kind: pins, ids, statistics, tokens.

Layouts: ``union bpf_attr``, ``linux/bpf.h``.
"""

from __future__ import annotations

import errno
import os

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import must_be, number, shown
from skelgen.model.enums import Command
from skelgen.model.flags import BPF_F_PATH_FD
from skelgen.runtime.errors import os_error
from skelgen.runtime.syscalls import rights
from skelgen.runtime.syscalls.buffers import Memory
from skelgen.runtime.syscalls.call import bpf, check, fail
from skelgen.runtime.syscalls.fd import check_fd, checked_fd
from skelgen.runtime.syscalls.layout import Layout

if TYPE_CHECKING:
    from typing import Final

_OBJ: Final = Layout("=QIIi", "path fd flags dir_fd")
_NEXT: Final = Layout("=IIIi", "start next flags token_fd")
_BY_ID: Final = Layout("=IIIi", "id next flags token_fd")
_TASK: Final = Layout("=IIIIQIIQQ", "pid fd flags size buf prog_id type offset address")
_STATS: Final = Layout("=I", "type")
_TOKEN: Final = Layout("=II", "flags bpffs_fd")
_ASSOC: Final = Layout("=III", "map_fd prog_fd flags")
_U32: Final = (0, (1 << 32) - 1)

_NEXT_ID: Final = {
    "prog": Command.PROG_GET_NEXT_ID,
    "map": Command.MAP_GET_NEXT_ID,
    "btf": Command.BTF_GET_NEXT_ID,
    "link": Command.LINK_GET_NEXT_ID,
}
_FD_BY_ID: Final = {
    "prog": Command.PROG_GET_FD_BY_ID,
    "map": Command.MAP_GET_FD_BY_ID,
    "btf": Command.BTF_GET_FD_BY_ID,
    "link": Command.LINK_GET_FD_BY_ID,
}


def obj_pin(
    fd: int, path: str | os.PathLike[str], *, dir_fd: int | None = None, what: str = ""
) -> None:
    """Keep a map, program or link under a path of a bpffs: ``BPF_OBJ_PIN``, 4.4.

    ``dir_fd``: what a relative path starts from (Linux 6.5).
    """
    memory = Memory()
    flags = 0 if dir_fd is None else BPF_F_PATH_FD
    address = memory.text(path, "path", what)
    attr = bytearray(_OBJ.pack(what, address, fd, flags, dir_fd or 0))
    result = bpf(Command.OBJ_PIN, attr)
    if result[0] < 0:
        text = f"{what or f'fd {fd}'} at '{os.fspath(path)}'"
        error = os_error(result[1], command="BPF_OBJ_PIN", what=text)
        for note in rights.explain_pin(os.fspath(path), result[1]):
            error.add_note(note)
        raise error


def obj_get(
    path: str | os.PathLike[str],
    flags: int = 0,
    *,
    dir_fd: int | None = None,
    what: str = "",
) -> int:
    """Open what is pinned at a path: ``BPF_OBJ_GET``, Linux 4.4.

    ``flags``: ``BPF_F_RDONLY`` (8), ``BPF_F_WRONLY`` (16) for a map (Linux 4.15).
    """
    memory = Memory()
    if dir_fd is not None:
        flags = number(flags, "flags", _U32, what) | BPF_F_PATH_FD
    address = memory.text(path, "path", what)
    attr = bytearray(_OBJ.pack(what, address, 0, flags, dir_fd or 0))
    command = Command.OBJ_GET
    result = bpf(command, attr)
    try:
        return check_fd(command, result, what or f"'{os.fspath(path)}'")
    except PermissionError as error:
        if rights.is_bpffs(os.fspath(path)) is False:
            error.__notes__ = [rights.no_bpffs(os.fspath(path))]
        raise


def _kind(commands: dict[str, int], kind: str) -> int:
    must_be(str, kind, "kind", "str")
    if kind not in commands:
        raise ValueError(
            f"kind must be one of {', '.join(commands)}, got {shown(kind)}"
        )
    return commands[kind]


def get_next_id(kind: str, start: int) -> int | None:
    """Return the first id above ``start``, ``None`` when there is none.

    ``BPF_PROG_GET_NEXT_ID``, ``BPF_MAP_GET_NEXT_ID`` (Linux 4.13),
    ``BPF_BTF_GET_NEXT_ID`` (5.1), ``BPF_LINK_GET_NEXT_ID`` (5.8); ``kind`` is
    ``prog``, ``map``, ``btf`` or ``link``. Needs ``CAP_SYS_ADMIN``.
    """
    command = _kind(_NEXT_ID, kind)
    attr = bytearray(_NEXT.pack(f"{kind} ids", start, 0, 0, 0))
    result = bpf(command, attr)
    if result[1] == errno.ENOENT:
        return None
    check(command, result, f"{kind} ids")
    next_id: int = _NEXT.unpack(attr)[1]
    return next_id


def get_fd_by_id(kind: str, id: int, *, flags: int = 0, token_fd: int = 0) -> int:
    """Return an fd of the object with a kernel id.

    ``BPF_PROG_GET_FD_BY_ID``, ``BPF_MAP_GET_FD_BY_ID`` (Linux 4.13),
    ``BPF_BTF_GET_FD_BY_ID`` (4.18), ``BPF_LINK_GET_FD_BY_ID`` (5.8); ``kind`` as for
    :func:`get_next_id`. Needs ``CAP_SYS_ADMIN``. Raises ``ENOENT`` when the object
    is gone.
    """
    command = _kind(_FD_BY_ID, kind)
    attr = bytearray(_BY_ID.pack(kind, id, 0, flags, token_fd))
    return check_fd(command, bpf(command, attr), f"{kind} id {id}")


_KINDS: Final = {
    "anon_inode:bpf-map": "map",
    "anon_inode:bpf-prog": "program",
    "anon_inode:bpf_link": "link",
    "anon_inode:bpf-link": "link",
    "anon_inode:btf": "BTF",
    "anon_inode:bpf-token": "token",
}


def fd_kind(fd: int) -> str | None:
    """Return what an fd is: ``map``, ``program``, ``link``, ``BTF``, ``token``.

    ``None`` for anything else. ``BPF_OBJ_GET_INFO_BY_FD`` does not tell: it answers in
    the form of what the fd is, whatever was asked about.
    """
    fd = checked_fd(fd)
    try:
        return _KINDS.get(os.readlink(f"/proc/self/fd/{fd}"))
    except OSError:
        return None


def enable_stats(type: int = 0) -> int:
    """Count runs and time of programs as long as the fd is open.

    ``BPF_ENABLE_STATS``, Linux 5.8; ``type`` 0 is ``BPF_STATS_RUN_TIME``.
    """
    command = Command.ENABLE_STATS
    attr = bytearray(_STATS.pack("run-time statistics", type))
    return check_fd(command, bpf(command, attr, len(attr)), "run-time statistics")


def token_create(bpffs_fd: int, flags: int = 0, *, what: str = "") -> int:
    """Make a token from a bpffs mounted with delegation: ``BPF_TOKEN_CREATE``, 6.9."""
    command = Command.TOKEN_CREATE
    attr = bytearray(_TOKEN.pack(what, flags, bpffs_fd))
    return check_fd(command, bpf(command, attr), what or f"bpffs fd {bpffs_fd}")


class TaskFd(Record):
    """The program and the target of a perf event or raw tracepoint fd of a process."""

    prog_id: int
    type: int
    """``enum bpf_task_fd_type``: 0 raw tracepoint, 1 tracepoint, 2 kprobe,
    3 kretprobe, 4 uprobe, 5 uretprobe."""
    name: str
    """Tracepoint, kernel function, or path of the file."""
    offset: int
    """Bytes from the function, or in the file."""
    address: int
    """Address of a kprobe without a name."""


def task_fd_query(pid: int, fd: int) -> TaskFd:
    """Tell what an fd of a process is attached to: ``BPF_TASK_FD_QUERY``, 4.18."""
    memory = Memory()
    text = bytearray(4096)
    attr = bytearray(
        _TASK.pack("", pid, fd, 0, len(text), memory.write(text), 0, 0, 0, 0)
    )
    command = Command.TASK_FD_QUERY
    check(command, bpf(command, attr), f"fd {fd} of process {pid}")
    out = _TASK.unpack(attr)
    name = os.fsdecode(bytes(text).split(b"\0", 1)[0])
    return TaskFd(out[5], out[6], name, out[7], out[8])


def prog_assoc_struct_ops(prog_fd: int, map_fd: int, *, what: str = "") -> None:
    """Tie a program to a struct_ops map: ``BPF_PROG_ASSOC_STRUCT_OPS``, Linux 6.19."""
    attr = bytearray(_ASSOC.pack(what, map_fd, prog_fd, 0))
    result = bpf(_PROG_ASSOC_STRUCT_OPS, attr)
    if result[0] < 0:
        fail("BPF_PROG_ASSOC_STRUCT_OPS", result[1], what or f"program fd {prog_fd}")


# newer than the kernel that the enumerations come from
_PROG_ASSOC_STRUCT_OPS: Final = 38
