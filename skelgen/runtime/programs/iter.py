"""Iterators: programs that write about kernel objects when they are read."""

import struct

from skelgen.runtime import syscalls
from skelgen.runtime.links.iter import IterLink
from skelgen.runtime.programs.target import HasFd, Opened, fd_of
from skelgen.runtime.programs.tracing import TracingProgram


class IterProgram(TracingProgram):
    """``SEC("iter/<target>")``: type ``TRACING``, Linux 5.8."""

    __slots__ = ()

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
