"""Netlink of the route family: a socket, its messages and their attributes.

A socket talks about the network namespace that it was made in.
Layouts: ``linux/netlink.h``, ``linux/rtnetlink.h``.
"""

from __future__ import annotations

import os
import socket
import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.syscalls.call import failure
from skelgen.runtime.syscalls.fd import Fd, good_fd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

_HEADER: Final = struct.Struct("=IHHII")
_ATTR: Final = struct.Struct("=HH")
_RECEIVE_SIZE: Final = 1 << 16

_ROUTE: Final = 0  # NETLINK_ROUTE
_SOL_NETLINK: Final = 270
_CAP_ACK: Final = 10
_EXT_ACK: Final = 11

_ERROR: Final = 2
_DONE: Final = 3
_F_REQUEST: Final = 0x1
_F_MULTI: Final = 0x2
F_ACK: Final = 0x4
F_ECHO: Final = 0x8
F_DUMP: Final = 0x300
F_REPLACE: Final = 0x100
F_EXCL: Final = 0x200
F_CREATE: Final = 0x400
_F_ACK_TLVS: Final = 0x200
_ACK_MESSAGE: Final = 1

NESTED: Final = 1 << 15
"""Of an attribute's number: it is made of attributes."""

GETLINK, SETLINK = 18, 19
NEWQDISC, DELQDISC, GETQDISC = 36, 37, 38
NEWTFILTER, DELTFILTER, GETTFILTER = 44, 45, 46
_TYPES: Final = {
    GETLINK: "RTM_GETLINK",
    SETLINK: "RTM_SETLINK",
    NEWQDISC: "RTM_NEWQDISC",
    DELQDISC: "RTM_DELQDISC",
    GETQDISC: "RTM_GETQDISC",
    NEWTFILTER: "RTM_NEWTFILTER",
    DELTFILTER: "RTM_DELTFILTER",
    GETTFILTER: "RTM_GETTFILTER",
}


class Route:
    """A socket to rtnetlink, for one request after another."""

    __slots__ = ("_fd", "_sequence", "unanswered")

    def __init__(self, what: str = "rtnetlink") -> None:
        try:
            made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _ROUTE)
        except OSError as error:
            raise failure("socket", error.errno or 0, what) from error
        with made:
            for option in (_EXT_ACK, _CAP_ACK):  # texts with errors: Linux 4.12
                try:
                    made.setsockopt(_SOL_NETLINK, option, 1)
                except OSError:
                    break
            self._fd = Fd(good_fd(made.detach()))
        self._sequence = 0
        self.unanswered = False
        """Whether a request was sent and nobody knows what became of it."""

    def fileno(self) -> int:
        """Return the file descriptor, which stays the socket's."""
        return self._fd.fileno()

    def close(self) -> None:
        """Close it, once."""
        self._fd.close()

    def request(
        self, number: int, flags: int, payload: bytes, what: str
    ) -> list[bytes]:
        """Ask, and return the payloads of the answers.

        Raises :class:`BpfOSError`, with what the kernel says to it as a note.
        """
        self._sequence += 1
        size = _HEADER.size + len(payload)
        head = _HEADER.pack(size, number, flags | _F_REQUEST, self._sequence, 0)
        try:
            os.write(self._fd.fileno(), head + payload)
        except OSError as error:
            raise failure(_TYPES[number], error.errno or 0, what) from error
        self.unanswered = True
        answers = self._answers(number, flags, what)
        self.unanswered = False
        return answers

    def _answers(self, number: int, flags: int, what: str) -> list[bytes]:
        answers: list[bytes] = []
        wants_ack = bool(flags & F_ACK)
        while True:
            try:
                data = os.read(self._fd.fileno(), _RECEIVE_SIZE)
            except OSError as error:
                raise failure(_TYPES[number], error.errno or 0, what) from error
            for kind, answer_flags, sequence, body in _messages(data):
                if sequence != self._sequence:
                    continue
                if kind == _ERROR:
                    self.unanswered = False
                    _check(_TYPES[number], answer_flags, body, what)
                    return answers
                if kind == _DONE:
                    return answers
                answers.append(body)
                if not answer_flags & _F_MULTI and not wants_ack:
                    return answers


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield type, flags, sequence number and payload of each message."""
    at = 0
    while at + _HEADER.size <= len(data):
        size, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= size <= len(data) - at:
            return
        yield kind, flags, sequence, data[at + _HEADER.size : at + size]
        at += -(-size // 4) * 4


def _check(command: str, flags: int, body: bytes, what: str) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code == 0:
        return
    error = failure(command, -code, what)
    if flags & _F_ACK_TLVS:
        text = attributes(body[4 + _HEADER.size :]).get(_ACK_MESSAGE, b"")
        if text:
            error.add_note(f"the kernel says: {text_of(text)}")
    raise error


def text_of(data: bytes) -> str:
    """Return a NUL-terminated text."""
    return data.split(b"\0", 1)[0].decode(errors="replace")


def attribute(kind: int, data: bytes) -> bytes:
    """Return an attribute for a request."""
    size = _ATTR.size + len(data)
    return _ATTR.pack(size, kind) + data + bytes(-size % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes of an answer, by number."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTR.size <= len(data):
        size, kind = _ATTR.unpack_from(data, at)
        if not _ATTR.size <= size <= len(data) - at:
            break
        found[kind & ~NESTED] = data[at + _ATTR.size : at + size]
        at += -(-size // 4) * 4
    return found


def u32(number: int) -> bytes:
    """Return a number as an attribute has it."""
    return struct.pack("=I", number & 0xFFFFFFFF)


def number_of(found: dict[int, bytes], kind: int) -> int:
    """Return the number in an attribute, 0 where it is not there."""
    data = found.get(kind, b"")
    return int(struct.unpack_from("=I", data)[0]) if len(data) >= 4 else 0
