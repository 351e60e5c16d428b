"""Iterators: programs that write about kernel objects when they are read."""

from __future__ import annotations

import errno
import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.links.iter import IterLink
from skelgen.runtime.programs.target import HasFd, Opened, cgroup_hint, fd_of
from skelgen.runtime.programs.tracing import TracingProgram
from skelgen.runtime.values.codec import U32, checked

if TYPE_CHECKING:
    import os
    from typing import Final

_MAP: Final = "which map to walk; call attach(map=...)"
_NEEDS: Final = {
    "bpf_map_elem": _MAP,
    "bpf_sk_storage_map": _MAP,
    "sockmap": _MAP,
    "cgroup": "in which order to walk; call attach(order=...), from cgroup=...",
}
"""Targets that an argument belongs to."""
_TAKES: Final[dict[str, tuple[str, ...]]] = {
    "bpf_map_elem": ("map",),
    "bpf_sk_storage_map": ("map",),
    "sockmap": ("map",),
    "cgroup": ("cgroup", "order"),
    "task": ("tid", "pid"),
    "task_file": ("tid", "pid"),
    "task_vma": ("tid", "pid"),
}
"""Those with an ``attach_target`` in the kernel; of others it ignores arguments."""


_ONE_TASK: Final = slice(32, 40)
"""Where ``struct bpf_link_info`` has ``iter.task``."""


def _of_one_task(link_fd: int, info: bytes, what: str) -> bool:
    """Whether a link's iterator took the thread or process it was given.

    An older kernel ignores it, and says nothing of it about the link.
    """
    told = syscalls.obj_get_info(link_fd, _ONE_TASK.stop, what=what)
    return told[_ONE_TASK] == info[:8]


class IterProgram(TracingProgram):
    """``SEC("iter/<target>")``: type ``TRACING``, Linux 5.8."""

    __slots__ = ()

    @property
    def auto_attachable(self) -> bool:
        """Whether it has a target, and walks it without being told more."""
        return super().auto_attachable and self.attach_target not in _NEEDS

    @property
    def by_hand(self) -> str:
        """Why the object's ``attach()`` passes it over, and what to call for it."""
        needs = _NEEDS.get(self.attach_target or "")
        if needs is None:
            return super().by_hand
        return f'SEC("{self.spec.section}") does not say {needs}'

    def attach(
        self,
        *,
        map: HasFd | int | None = None,
        cgroup: str | os.PathLike[str] | int | None = None,
        order: int = 0,
        tid: int = 0,
        pid: int = 0,
        cookie: int = 0,
    ) -> IterLink:
        """Attach it; reading the link runs it.

        ``map`` is the one that ``iter/bpf_map_elem``, ``iter/sockmap`` and
        ``iter/bpf_sk_storage_map`` walk (a map or its fd); ``cgroup`` (path or fd, the
        root by default) with ``order`` (1 self, 2 descendants first, 3 descendants
        last, 4 ancestors) where ``iter/cgroup`` starts (Linux 6.1); ``tid`` or ``pid``
        the thread or process that ``iter/task`` and its siblings are about (6.1).
        Others take none of them: ValueError. AttachError from
        a kernel whose iterators cannot be about one task.
        """
        del cookie  # iterators have none; the argument is the base class's
        prog_fd = self.fd()
        what = f"{self.what} on iterator '{self.attach_target}'"
        given = {
            "map": map is not None,
            "cgroup": cgroup is not None,
            "order": order != 0,
            "tid": tid != 0,
            "pid": pid != 0,
        }
        takes = _TAKES.get(self.attach_target or "", ())
        for name, is_given in given.items():
            if is_given and name not in takes:
                raise ValueError(f"{what}: it takes no {name}")
        if map is None and order == 0 and self.attach_target in _NEEDS:
            raise self.attach_error(self.by_hand)
        if map is not None:
            return self._attach_map(prog_fd, fd_of(map, f"{what}: map", "map"), what)
        if order:
            return self._attach_cgroup(
                prog_fd, cgroup, checked(U32, order, f"{what}: order"), what
            )
        info = b""
        if tid or pid:
            checked(U32, tid, f"{what}: tid")
            checked(U32, pid, f"{what}: pid")
            info = struct.pack("=III4x", tid, pid, 0)
        fd = syscalls.link_create_iter(prog_fd, info=info, what=what)
        link = IterLink(fd, self)
        if info and not _of_one_task(fd, info, what):
            link.destroy()
            raise self.attach_error(
                "this kernel's iterators walk all tasks, and do not look at tid and pid;"
                " those of one task came with Linux 6.1"
            )
        return link

    def _attach_map(self, prog_fd: int, map_fd: int, what: str) -> IterLink:
        info = struct.pack("=I12x", map_fd)
        try:
            fd = syscalls.link_create_iter(prog_fd, info=info, what=what)
        except BpfOSError as error:
            from skelgen.runtime.links.place_hints import explain_map

            explain_map(error, map_fd, self.attach_target or "")
            raise
        return IterLink(fd, self)

    def _attach_cgroup(
        self,
        prog_fd: int,
        cgroup: str | os.PathLike[str] | int | None,
        order: int,
        what: str,
    ) -> IterLink:
        if cgroup is None:
            info = struct.pack("=IIQ", order, 0, 0)
            fd = syscalls.link_create_iter(prog_fd, info=info, what=what)
            return IterLink(fd, self)
        what = f"{what} from cgroup {cgroup!r}"
        with Opened(
            cgroup, "cgroup", what=what, directory=True, hint=cgroup_hint
        ) as directory:
            info = struct.pack("=IIQ", order, directory, 0)
            try:
                fd = syscalls.link_create_iter(prog_fd, info=info, what=what)
            except BpfOSError as error:
                if error.errno == errno.EBADF:
                    error.add_note("that is no control group")
                raise
        return IterLink(fd, self)
