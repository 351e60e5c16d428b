"""Iterators: programs that write about kernel objects when they are read."""

from __future__ import annotations

import struct

from skelgen.runtime import syscalls
from skelgen.runtime.links.iter import IterLink
from skelgen.runtime.programs.target import HasFd, Opened, fd_of
from skelgen.runtime.programs.tracing import TracingProgram
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

_MAP: Final = "which map to walk; call attach(map=...)"
_NEEDS: Final = {
    "bpf_map_elem": _MAP,
    "bpf_sk_storage_map": _MAP,
    "sockmap": _MAP,
    "cgroup": "in which order to walk; call attach(order=...), from cgroup=...",
}
"""Targets that an argument belongs to."""


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
        map: HasFd | int | None = None,  # noqa: A002 (the UAPI's word)
        cgroup: str | int | None = None,
        order: int = 0,
        tid: int = 0,
        pid: int = 0,
        cookie: int = 0,
    ) -> IterLink:
        """Attach it; reading the link runs it.

        ``map`` is the one that ``iter/bpf_map_elem``, ``iter/sockmap`` and
        ``iter/bpf_sk_storage_map`` walk (a map or its fd); ``cgroup`` (path or fd)
        with ``order`` (1 self, 2 descendants first, 3 descendants last, 4 ancestors)
        where ``iter/cgroup`` starts (Linux 6.1); ``tid`` or ``pid`` the thread or
        process that ``iter/task`` and its siblings are about (6.1).
        """
        del cookie  # iterators have none; the argument is the base class's
        prog_fd = self.fd()
        what = f"{self.what} on iterator '{self.attach_target}'"
        if cgroup is not None:
            with Opened(cgroup, directory=True) as directory:
                info = struct.pack("=IIQ", order, directory, 0)
                fd = syscalls.link_create_iter(prog_fd, info=info, what=what)
        else:
            info = b""
            if map is not None:
                info = struct.pack("=I12x", fd_of(map))
            elif tid or pid:
                info = struct.pack("=III4x", tid, pid, 0)
            fd = syscalls.link_create_iter(prog_fd, info=info, what=what)
        return IterLink(fd, self)
