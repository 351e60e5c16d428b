"""Programs of sockets and socket maps."""

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.links.attached import AttachedLink
from skelgen.runtime.links.base import Link
from skelgen.runtime.links.socket import SocketLink
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.target import HasFd, fd_of
from skelgen.runtime.values.codec import U32, checked

if TYPE_CHECKING:
    from socket import socket
    from typing import Final

_OF_SOCKETS: "Final" = ("fileno", "setsockopt")


class SocketProgram(Program):
    """``SEC("socket")`` (Linux 3.19) and ``SEC("sk_reuseport")`` (4.19)."""

    __slots__ = ()
    _call = "attach(socket)"

    def attach(self, socket: "socket") -> SocketLink:
        """Attach to a socket: ``SO_ATTACH_BPF``, ``SO_ATTACH_REUSEPORT_EBPF``.

        A filter says how many bytes of a packet are kept, 0 for none. One of
        ``sk_reuseport`` chooses among the sockets of a group.
        """
        self.fd()  # not loaded is the first thing to say
        if not all(callable(getattr(socket, name, None)) for name in _OF_SOCKETS):
            hint = ""
            if isinstance(socket, int):
                hint = "; of an fd make one: socket.socket(fileno=os.dup(fd))"
            raise TypeError(
                f"{self.what}: socket must be a socket.socket, got"
                f" {type(socket).__name__}{hint}"
            )
        return SocketLink(socket, self, reuseport=self.type == ProgType.SK_REUSEPORT)


class SockmapProgram(Program):
    """``SEC("sk_skb/...")`` (Linux 4.14) and ``SEC("sk_msg")`` (4.17)."""

    __slots__ = ()
    _call = "attach(map)"

    def attach(
        self,
        map: HasFd | int,
        *,
        attach_type: AttachType | int | None = None,
    ) -> Link:
        """Attach to a sockmap or sockhash (or its fd).

        Through a BPF link (Linux 6.10), else with ``BPF_PROG_ATTACH``.
        ``attach_type`` is needed for ``SEC("sk_skb")``.
        """
        prog_fd = self.fd()
        hook = self.attach_type if attach_type is None else attach_type
        if hook == 0:
            raise self.attach_error(
                f'SEC("{self.spec.section}") does not say for what; call '
                "attach(map, attach_type=AttachType.SK_SKB_STREAM_VERDICT)"
            )
        checked(U32, hook, f"{self.what}: attach_type")
        map_fd = fd_of(map, f"{self.what}: map", "map")
        what = f"{self.what} on map fd {map_fd}"
        try:
            return self._attach(prog_fd, map_fd, hook, what)
        except BpfOSError as error:
            from skelgen.runtime.links.place_hints import explain_map

            explain_map(error, map_fd, "sockmap")
            raise

    def _attach(self, prog_fd: int, map_fd: int, hook: int, what: str) -> Link:
        try:
            return Link(syscalls.link_create(prog_fd, map_fd, hook, what=what), self)
        except BpfOSError as error:
            if error.errno != errno.EINVAL:
                raise
        return AttachedLink(
            map_fd,
            self,
            hook,
            lambda: syscalls.prog_attach(prog_fd, map_fd, hook, what=what),
        )
