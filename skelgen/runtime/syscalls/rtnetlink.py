"""rtnetlink: attaching XDP and tc programs on kernels without BPF links for them.

XDP since Linux 4.8, tc's ``clsact`` since 4.5. What is attached so stays until someone
takes it off. A socket talks about the network namespace that it was made in.
Layouts: ``linux/rtnetlink.h``, ``linux/if_link.h``, ``linux/pkt_cls.h``.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from skelgen.record import Record
from skelgen.runtime.syscalls.seam import Fd, failure, good_fd
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

_HEADER: Final = struct.Struct("=IHHII")
_LINK: Final = struct.Struct("=BxHiII")
_TC: Final = struct.Struct("=BxxxiIII")
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
_F_ACK: Final = 0x4
_F_ECHO: Final = 0x8
_F_DUMP: Final = 0x300
_F_REPLACE: Final = 0x100
_F_EXCL: Final = 0x200
_F_CREATE: Final = 0x400
_F_ACK_TLVS: Final = 0x200
_ACK_MESSAGE: Final = 1

_TYPES: Final = {
    18: "RTM_GETLINK",
    19: "RTM_SETLINK",
    36: "RTM_NEWQDISC",
    37: "RTM_DELQDISC",
    44: "RTM_NEWTFILTER",
    45: "RTM_DELTFILTER",
    46: "RTM_GETTFILTER",
}
_GETLINK, _SETLINK = 18, 19
_NEWQDISC, _DELQDISC = 36, 37
_NEWTFILTER, _DELTFILTER, _GETTFILTER = 44, 45, 46

_NESTED: Final = 1 << 15
_IFLA_XDP: Final = 43
_XDP_FD: Final = 1
_XDP_ATTACHED: Final = 2
_XDP_FLAGS: Final = 3
_XDP_PROG_ID: Final = 4
_XDP_IDS: Final = (5, 6, 7)  # of the driver, of generic XDP, of the card
_XDP_EXPECTED_FD: Final = 8

XDP_FLAGS_UPDATE_IF_NOEXIST: Final = 1 << 0
"""``EBUSY`` where a program is attached already."""
XDP_FLAGS_REPLACE: Final = 1 << 4
"""Only if the program in place is the one that is given (Linux 5.7)."""

_CLSACT: Final = 0xFFFFFFF1
_CLSACT_HANDLE: Final = 0xFFFF0000
INGRESS: Final = 0xFFFFFFF2
"""Parent of the filters for what comes in."""
EGRESS: Final = 0xFFFFFFF3
"""Parent of the filters for what goes out."""

_KIND: Final = 1
_OPTIONS: Final = 2
_BPF_FD: Final = 6
_BPF_NAME: Final = 7
_BPF_FLAGS: Final = 8
_BPF_ID: Final = 11
_DIRECT_ACTION: Final = 1
_ETH_P_ALL: Final = socket.htons(3)


class XdpState(Record):
    """What is attached to an interface; ids are 0 where nothing is."""

    attached: int
    """``XDP_ATTACHED_*``: 0 nothing, 1 driver, 2 generic, 3 card, 4 several."""
    prog_id: int
    """Of the one program."""
    driver_id: int
    generic_id: int
    card_id: int


class Filter(Record):
    """A BPF filter of ``clsact``."""

    handle: int
    priority: int
    """The lowest runs first."""
    prog_id: int
    name: str
    direct_action: bool
    """Whether what the program returns is the verdict."""


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
        wants_ack = bool(flags & _F_ACK)
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
        text = _attributes(body[4 + _HEADER.size :]).get(_ACK_MESSAGE, b"")
        if text:
            error.add_note(f"the kernel says: {_text(text)}")
    raise error


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode(errors="replace")


def _attribute(kind: int, data: bytes) -> bytes:
    size = _ATTR.size + len(data)
    return _ATTR.pack(size, kind) + data + bytes(-size % 4)


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTR.size <= len(data):
        size, kind = _ATTR.unpack_from(data, at)
        if not _ATTR.size <= size <= len(data) - at:
            break
        found[kind & ~_NESTED] = data[at + _ATTR.size : at + size]
        at += -(-size // 4) * 4
    return found


def _u32(number: int) -> bytes:
    return struct.pack("=I", number & 0xFFFFFFFF)


def _number(found: dict[int, bytes], kind: int) -> int:
    data = found.get(kind, b"")
    return int(struct.unpack_from("=I", data)[0]) if len(data) >= 4 else 0


# -- XDP -----------------------------------------------------------------------


def xdp_attach(
    route: Route,
    ifindex: int,
    prog_fd: int,
    *,
    flags: int = 0,
    expected_fd: int | None = None,
    what: str = "",
) -> None:
    """Attach an XDP program to an interface, or none (-1): ``RTM_SETLINK``, 4.8.

    ``flags`` are ``XDP_FLAGS_*``; the mode's bit says which of several is meant. With
    ``expected_fd`` only if that program is in place, which Linux 5.7 can check.
    """
    parts = _attribute(_XDP_FD, _u32(prog_fd))
    if expected_fd is not None:
        flags |= XDP_FLAGS_REPLACE
        parts += _attribute(_XDP_EXPECTED_FD, _u32(expected_fd))
    if flags:
        parts += _attribute(_XDP_FLAGS, _u32(flags))
    payload = _LINK.pack(0, 0, ifindex, 0, 0) + _attribute(_IFLA_XDP | _NESTED, parts)
    route.request(_SETLINK, _F_ACK, payload, what or f"interface {ifindex}")


def xdp_query(route: Route, ifindex: int, *, what: str = "") -> XdpState:
    """Tell what is attached to an interface: ``RTM_GETLINK``; ids since Linux 4.13."""
    payload = _LINK.pack(0, 0, ifindex, 0, 0)
    answers = route.request(_GETLINK, 0, payload, what or f"interface {ifindex}")
    found: dict[int, bytes] = {}
    for answer in answers:
        whole = _attributes(answer[_LINK.size :])
        found = _attributes(whole.get(_IFLA_XDP, b""))
    attached = found.get(_XDP_ATTACHED, b"\0")[0]
    ids = [_number(found, kind) for kind in _XDP_IDS]
    return XdpState(attached, _number(found, _XDP_PROG_ID), *ids)


# -- tc ------------------------------------------------------------------------


def _qdisc(ifindex: int) -> bytes:
    head = _TC.pack(0, ifindex, _CLSACT_HANDLE, _CLSACT, 0)
    return head + _attribute(_KIND, b"clsact\0")


def clsact_create(route: Route, ifindex: int, *, what: str = "") -> bool:
    """Give an interface the queueing discipline that filters of programs belong to.

    ``RTM_NEWQDISC``, ``clsact``, Linux 4.5. Returns False when it was there.
    """
    flags = _F_ACK | _F_CREATE | _F_EXCL
    try:
        route.request(_NEWQDISC, flags, _qdisc(ifindex), what or f"interface {ifindex}")
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        return False
    return True


def clsact_delete(route: Route, ifindex: int, *, what: str = "") -> None:
    """Take ``clsact`` away, and with it every filter of the interface."""
    route.request(_DELQDISC, _F_ACK, _qdisc(ifindex), what or f"interface {ifindex}")


def filter_add(
    route: Route,
    ifindex: int,
    parent: int,
    prog_fd: int,
    *,
    name: str,
    handle: int = 0,
    priority: int = 0,
    replace: bool = False,
    what: str = "",
) -> Filter:
    """Add a program as a direct-action filter: ``RTM_NEWTFILTER``.

    ``parent`` is :data:`INGRESS` or :data:`EGRESS`. The kernel chooses a handle and a
    priority where they are 0. Raises ``EEXIST`` where there is one of that handle and
    priority, unless ``replace``.
    """
    options = (
        _attribute(_BPF_FD, _u32(prog_fd))
        + _attribute(_BPF_NAME, name.encode() + b"\0")
        + _attribute(_BPF_FLAGS, _u32(_DIRECT_ACTION))
    )
    payload = (
        _TC.pack(0, ifindex, handle, parent, priority << 16 | _ETH_P_ALL)
        + _attribute(_KIND, b"bpf\0")
        + _attribute(_OPTIONS | _NESTED, options)
    )
    flags = _F_ACK | _F_ECHO | _F_CREATE | (_F_REPLACE if replace else _F_EXCL)
    answers = route.request(_NEWTFILTER, flags, payload, what or f"if {ifindex}")
    made = [found for found in map(_filter, answers) if found is not None]
    return made[-1] if made else Filter(handle, priority, 0, name, direct_action=True)


def filter_list(
    route: Route, ifindex: int, parent: int, *, what: str = ""
) -> list[Filter]:
    """List the BPF filters of a direction: ``RTM_GETTFILTER``."""
    payload = _TC.pack(0, ifindex, 0, parent, 0)
    answers = route.request(_GETTFILTER, _F_DUMP, payload, what or f"if {ifindex}")
    return [
        found for found in map(_filter, answers) if found is not None and found.handle
    ]


def filter_delete(
    route: Route,
    ifindex: int,
    parent: int,
    *,
    handle: int,
    priority: int,
    what: str = "",
) -> None:
    """Delete a filter: ``RTM_DELTFILTER``. Raises ``ENOENT`` when there is none."""
    info = priority << 16 | _ETH_P_ALL
    payload = _TC.pack(0, ifindex, handle, parent, info) + _attribute(_KIND, b"bpf\0")
    route.request(_DELTFILTER, _F_ACK, payload, what or f"interface {ifindex}")


def _filter(answer: bytes) -> Filter | None:
    if len(answer) < _TC.size:
        return None
    _, _, handle, _, info = _TC.unpack_from(answer)
    found = _attributes(answer[_TC.size :])
    if _text(found.get(_KIND, b"")) != "bpf":
        return None
    options = _attributes(found.get(_OPTIONS, b""))
    return Filter(
        handle,
        info >> 16,
        _number(options, _BPF_ID),
        _text(options.get(_BPF_NAME, b"")),
        bool(_number(options, _BPF_FLAGS) & _DIRECT_ACTION),
    )
