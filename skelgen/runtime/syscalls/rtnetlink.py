"""rtnetlink: attaching XDP and tc programs on kernels without BPF links for them.

XDP since Linux 4.8, tc's ``clsact`` since 4.5. What is attached so stays until someone
takes it off. A socket talks about the network namespace that it was made in.
Layouts: ``linux/rtnetlink.h``, ``linux/if_link.h``, ``linux/pkt_cls.h``.
"""

from __future__ import annotations

import socket
import struct

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.flags import XDP_FLAGS_REPLACE
from skelgen.runtime.syscalls import netlink
from skelgen.runtime.syscalls.netlink import (
    Route,
    attribute,
    attributes,
    number_of,
    text_of,
    u32,
)

if TYPE_CHECKING:
    from typing import Final

_LINK: Final = struct.Struct("=BxHiII")
_TC: Final = struct.Struct("=BxxxiIII")

_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4
_IFLA_LINKINFO: Final = 18
_IFLA_XDP: Final = 43
_INFO_KIND: Final = 1
_XDP_FD: Final = 1
_XDP_ATTACHED: Final = 2
_XDP_FLAGS: Final = 3
_XDP_PROG_ID: Final = 4
_XDP_IDS: Final = (5, 6, 7)  # of the driver, of generic XDP, of the card
_XDP_EXPECTED_FD: Final = 8

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
    """The programs that are attached to an interface; an id of 0 is none."""

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
    """Whether the program's return value is the verdict."""


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
    parts = attribute(_XDP_FD, u32(prog_fd))
    if expected_fd is not None:
        flags |= XDP_FLAGS_REPLACE
        parts += attribute(_XDP_EXPECTED_FD, u32(expected_fd))
    if flags:
        parts += attribute(_XDP_FLAGS, u32(flags))
    payload = _LINK.pack(0, 0, ifindex, 0, 0) + attribute(
        _IFLA_XDP | netlink.NESTED, parts
    )
    route.request(
        netlink.SETLINK, netlink.F_ACK, payload, what or f"interface {ifindex}"
    )


class Interface(Record):
    """A network interface."""

    name: str
    kind: str
    """Of a virtual one: ``veth``, ``netkit``, ``bond``; empty for others."""
    mtu: int
    """Bytes of the longest packet, without its Ethernet header."""


def interface_query(route: Route, ifindex: int, *, what: str = "") -> Interface:
    """Tell about an interface: ``RTM_GETLINK``. Raises ``ENODEV``."""
    whole = _link(route, ifindex, what)
    return Interface(
        text_of(whole.get(_IFLA_IFNAME, b"")),
        text_of(attributes(whole.get(_IFLA_LINKINFO, b"")).get(_INFO_KIND, b"")),
        number_of(whole, _IFLA_MTU),
    )


def _link(route: Route, ifindex: int, what: str) -> dict[int, bytes]:
    payload = _LINK.pack(0, 0, ifindex, 0, 0)
    whole: dict[int, bytes] = {}
    for answer in route.request(
        netlink.GETLINK, 0, payload, what or f"interface {ifindex}"
    ):
        whole = attributes(answer[_LINK.size :])
    return whole


def xdp_query(route: Route, ifindex: int, *, what: str = "") -> XdpState:
    """Tell what is attached to an interface: ``RTM_GETLINK``; ids since Linux 4.13."""
    found = attributes(_link(route, ifindex, what).get(_IFLA_XDP, b""))
    attached = found.get(_XDP_ATTACHED, b"\0")[0]
    ids = [number_of(found, kind) for kind in _XDP_IDS]
    return XdpState(attached, number_of(found, _XDP_PROG_ID), *ids)


# -- tc ------------------------------------------------------------------------


def _qdisc(ifindex: int) -> bytes:
    head = _TC.pack(0, ifindex, _CLSACT_HANDLE, _CLSACT, 0)
    return head + attribute(_KIND, b"clsact\0")


def clsact_create(route: Route, ifindex: int, *, what: str = "") -> bool:
    """Give an interface the queueing discipline that filters of programs belong to.

    ``RTM_NEWQDISC``, ``clsact``, Linux 4.5. Returns False when it was there. Raises
    ``EEXIST`` where another is in its place, see :func:`qdisc_kind`.
    """
    flags = netlink.F_ACK | netlink.F_CREATE | netlink.F_EXCL
    whose = what or f"interface {ifindex}"
    try:
        route.request(netlink.NEWQDISC, flags, _qdisc(ifindex), whose)
    except FileExistsError:
        if qdisc_kind(route, ifindex, what=what) != "clsact":
            raise
        return False
    return True


def qdisc_kind(route: Route, ifindex: int, *, what: str = "") -> str | None:
    """Return what has the place of ``clsact``: ``clsact``, ``ingress`` or nothing.

    ``RTM_GETQDISC``. ``ingress`` has no filters for what goes out: the kernel takes
    those of either parent for filters of what comes in.
    """
    payload = _TC.pack(0, 0, 0, 0, 0)
    whose = what or f"interface {ifindex}"
    # the kernel lists those of every interface
    for answer in route.request(netlink.GETQDISC, netlink.F_DUMP, payload, whose):
        if len(answer) >= _TC.size:
            _, index, _, parent, _ = _TC.unpack_from(answer)
            if index == ifindex and parent == _CLSACT:
                return text_of(attributes(answer[_TC.size :]).get(_KIND, b""))
    return None


def clsact_delete(route: Route, ifindex: int, *, what: str = "") -> None:
    """Take ``clsact`` away, and with it every filter of the interface."""
    route.request(
        netlink.DELQDISC, netlink.F_ACK, _qdisc(ifindex), what or f"interface {ifindex}"
    )


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
        attribute(_BPF_FD, u32(prog_fd))
        + attribute(_BPF_NAME, name.encode() + b"\0")
        + attribute(_BPF_FLAGS, u32(_DIRECT_ACTION))
    )
    payload = (
        _TC.pack(0, ifindex, handle, parent, priority << 16 | _ETH_P_ALL)
        + attribute(_KIND, b"bpf\0")
        + attribute(_OPTIONS | netlink.NESTED, options)
    )
    flags = (
        netlink.F_ACK
        | netlink.F_ECHO
        | netlink.F_CREATE
        | (netlink.F_REPLACE if replace else netlink.F_EXCL)
    )
    answers = route.request(netlink.NEWTFILTER, flags, payload, what or f"if {ifindex}")
    made = [found for found in map(_filter, answers) if found is not None]
    return made[-1] if made else Filter(handle, priority, 0, name, direct_action=True)


def filter_list(
    route: Route, ifindex: int, parent: int, *, what: str = ""
) -> list[Filter]:
    """List the BPF filters of a direction: ``RTM_GETTFILTER``."""
    payload = _TC.pack(0, ifindex, 0, parent, 0)
    answers = route.request(
        netlink.GETTFILTER, netlink.F_DUMP, payload, what or f"if {ifindex}"
    )
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
    payload = _TC.pack(0, ifindex, handle, parent, info) + attribute(_KIND, b"bpf\0")
    route.request(
        netlink.DELTFILTER, netlink.F_ACK, payload, what or f"interface {ifindex}"
    )


def _filter(answer: bytes) -> Filter | None:
    if len(answer) < _TC.size:
        return None
    _, _, handle, _, info = _TC.unpack_from(answer)
    found = attributes(answer[_TC.size :])
    if text_of(found.get(_KIND, b"")) != "bpf":
        return None
    options = attributes(found.get(_OPTIONS, b""))
    return Filter(
        handle,
        info >> 16,
        number_of(options, _BPF_ID),
        text_of(options.get(_BPF_NAME, b"")),
        bool(number_of(options, _BPF_FLAGS) & _DIRECT_ACTION),
    )
