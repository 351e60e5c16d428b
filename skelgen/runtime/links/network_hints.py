"""Hints why a network interface refused a program, looked up after the refusal.

What is here asks the kernel about the interface; what it does not tell says nothing.
"""

from __future__ import annotations

import errno

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.near_names import did_you_mean
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.links.place_hints import STALE
from skelgen.runtime.syscalls import rtnetlink
from skelgen.runtime.syscalls.netlink import Route

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.links.base import AttachedProgram
    from skelgen.runtime.syscalls.rtnetlink import Interface, XdpState

_GENERIC_MODE: Final = 2  # XDP_ATTACHED_SKB
_MODES: Final = ("native", "generic", "offload")
_ETHERNET: Final = 1500
_LISTED: Final = 8


def no_interface(name: str) -> str:
    """Return what to say of a name that no interface here has."""
    text = f"no network interface '{name}' in this network namespace"
    try:
        # late, and the C module alone: for errors
        from _socket import if_nameindex

        names = [there for _, there in if_nameindex()]
    except (ImportError, OSError):  # rights were dropped
        return text
    hint = did_you_mean(name, names)
    if not hint and names:
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        hint = f"there are: {', '.join(names[:_LISTED])}{more}"
    return f"{text}; {hint}" if hint else text


class Asked(Record):
    """How an XDP program was to be attached."""

    mode: str | None
    frags: bool
    """Whether it takes packets of several pages."""
    offloaded: bool
    """Whether it was loaded for a network card."""


def explain_xdp(error: BpfOSError, what: str, ifindex: int, asked: Asked) -> None:
    """Add notes to the error of an XDP program that was not attached."""
    try:
        route = Route(what)
        try:
            interface = rtnetlink.interface_query(route, ifindex)
            state = rtnetlink.xdp_query(route, ifindex)
        finally:
            route.close()
    except BpfOSError as other:
        if errno.ENODEV in {error.errno, other.errno}:
            error.add_note(
                f"no interface of this network namespace has index {ifindex}"
            )
        return
    for note in _xdp_notes(error.errno or 0, interface, state, asked):
        error.add_note(note)


def _xdp_notes(
    number: int, interface: Interface, state: XdpState, asked: Asked
) -> list[str]:
    mode = asked.mode
    if number in {errno.EBUSY, errno.EEXIST}:
        return _taken(number, _attached(state))
    if mode == "offload" and number == errno.EINVAL and not asked.offloaded:
        return [
            "an offloaded program is loaded for its card: set ifindex before load()"
        ]
    if mode == "offload" and number == errno.EOPNOTSUPP:
        note = (
            f"'{interface.name}' runs no programs on its card; mode='native' is in the"
            " driver, mode='generic' works on every interface"
        )
        return [note]
    if mode in {"offload", "generic"}:
        return []
    if number == errno.EOPNOTSUPP:
        note = (
            f"the driver of '{interface.name}' refuses native XDP: it has none, or an"
            " offload is on that does not go with it (ethtool -K ... lro off);"
            " mode='generic' works on every interface"
        )
        return [note]
    long = number == errno.EINVAL and interface.mtu > _ETHERNET
    return (
        [_mtu(interface, frags=asked.frags)] if long or number == errno.ERANGE else []
    )


def _taken(number: int, there: str) -> list[str]:
    """Return what another program has to do with it."""
    if number == errno.EEXIST and not there:
        return ["an interface above it (a bond, say) has an XDP program"]
    if number == errno.EEXIST:
        return [f"native and generic XDP do not go together; attached: {there}"]
    note = (
        f"attached there already: {there}; detach it first, or replace it through its"
        " link, where it has one (Link.update)"
    )
    return [note] if there else []


def _mtu(interface: Interface, *, frags: bool) -> str:
    ways = ["lower the MTU"]
    if not frags:
        ways.append('compile it as SEC("xdp.frags") (Linux 5.18)')
    ways.append("attach it with mode='generic'")
    whose = "it or its peer may have more" if interface.kind == "veth" else ""
    return (
        f"the MTU of '{interface.name}' is {interface.mtu}"
        f"{f' ({whose} than fits)' if whose else ''}: a driver gives XDP packets of"
        f" one page, about 3500 bytes; {', '.join(ways[:-1])}, or {ways[-1]}"
    )


def _attached(state: XdpState) -> str:
    """Return the XDP programs of an interface in words, empty for none."""
    ids = [(mode, id_) for mode, id_ in zip(_MODES, state[2:], strict=True) if id_]
    if not ids and state.prog_id:  # before Linux 4.19
        mode = "generic" if state.attached == _GENERIC_MODE else "native"
        ids = [(mode, state.prog_id)]
    return ", ".join(
        f"program {program_name(id_)}, in mode '{mode}'" for mode, id_ in ids
    )


def program_name(number: int) -> str:
    """Return the id of a program, and its name where it can be had."""
    try:
        with syscalls.Fd(syscalls.get_fd_by_id("prog", number)) as fd:
            name = syscalls.prog_info(fd.fileno()).name
    except (BpfError, OSError):
        name = ""
    return f"'{name}' (id {number})" if name else f"id {number}"


def explain_tcx(
    error: BpfOSError, program: AttachedProgram, ifindex: int, *, netkit: bool
) -> None:
    """Add a note to the error of a tcx or netkit program that was not attached."""
    if error.errno == errno.ESTALE:
        error.add_note(STALE)
    elif netkit:
        _explain_netkit(error, program, ifindex)


def _explain_netkit(error: BpfOSError, program: AttachedProgram, ifindex: int) -> None:
    if error.errno == errno.EACCES:
        error.add_note(
            "it is the peer of a netkit pair: programs of both sides are attached"
            ' through the primary one, SEC("netkit/peer") for what the peer sends'
        )
    elif error.errno == errno.ENXIO:
        error.add_note(f"it is no netkit interface{_kind(program, ifindex)}")
    elif error.errno == errno.EINVAL:
        error.add_note(
            "netkit needs Linux 6.7 with CONFIG_NETKIT, which this kernel may not have"
        )


def _kind(program: AttachedProgram, ifindex: int) -> str:
    try:
        route = Route(program.what)
        try:
            kind = rtnetlink.interface_query(route, ifindex).kind
        finally:
            route.close()
    except (BpfError, OSError):
        return ""
    return f", but a {kind}" if kind else ""
