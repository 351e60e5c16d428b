"""Programs attached to a socket, as one of its options."""

from __future__ import annotations

import errno
from itertools import count
from weakref import WeakKeyDictionary

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import log, syscalls
from skelgen.runtime.errors import os_error
from skelgen.runtime.links.base import NoBpfLink

if TYPE_CHECKING:
    from socket import socket
    from typing import Final

    from skelgen.runtime.links.base import AttachedProgram

# include/uapi/asm-generic/socket.h
_SOL_SOCKET: Final = 1
_SO_DETACH_FILTER: Final = 27
_SO_ATTACH_BPF: Final = 50
_SO_ATTACH_REUSEPORT_EBPF: Final = 52
_SO_DETACH_REUSEPORT_BPF: Final = 68


_newest: WeakKeyDictionary[socket, dict[int, int]] = WeakKeyDictionary()
"""Of each socket the number of the last link, by the option that detaches it."""
_numbers = count(1)


class SocketLink(NoBpfLink):
    """A program on a socket; it goes with the socket, or when this is destroyed.

    A socket has one program: another one that was attached since stays.
    """

    __slots__ = ("_detach_option", "_number", "_socket")
    _how = "sockets have programs"

    def __init__(
        self, socket: socket, program: AttachedProgram, *, reuseport: bool
    ) -> None:
        option = _SO_ATTACH_REUSEPORT_EBPF if reuseport else _SO_ATTACH_BPF
        name = "SO_ATTACH_REUSEPORT_EBPF" if reuseport else "SO_ATTACH_BPF"
        super().__init__(syscalls.dup(program.fd(), what=program.what), program)
        try:
            socket.setsockopt(_SOL_SOCKET, option, self.fd())
        except OSError as error:
            self._fd.close()
            number = error.errno or 0
            failed = os_error(number, command=name, what=program.what)
            if reuseport and number == errno.EINVAL:
                failed.add_note("the socket is to have SO_REUSEPORT before it is bound")
            raise failed from error
        self._socket: Final = socket
        self._detach_option: Final = (
            _SO_DETACH_REUSEPORT_BPF if reuseport else _SO_DETACH_FILTER
        )
        self._number: Final = next(_numbers)
        try:
            _newest.setdefault(socket, {})[self._detach_option] = self._number
        except TypeError:  # of a class without weak references: nobody else knows it
            log.debug("%s: takes off whichever program is there", program.what)

    def detach(self) -> None:
        """Take the program off the socket (``reuseport``: Linux 5.3)."""
        self.destroy()

    def destroy(self) -> None:
        """Take the program off the socket, once."""
        if self._fd.closed:
            return
        if self._is_newest() and self._mine() and self._socket.fileno() >= 0:
            try:
                self._socket.setsockopt(_SOL_SOCKET, self._detach_option, 0)
            except OSError as error:  # ENOENT: someone else took it off
                log.debug("%s: cannot detach: %s", self.what, error)
        super().destroy()

    def _is_newest(self) -> bool:
        try:
            last = _newest.get(self._socket, {}).get(self._detach_option)
        except TypeError:
            return True
        return last == self._number

    def __del__(self) -> None:
        if hasattr(self, "_number"):  # the constructor came that far
            self.destroy()
