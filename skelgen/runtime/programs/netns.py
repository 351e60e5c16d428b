"""Programs of a whole network namespace: sk_lookup, flow_dissector, netfilter."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import shown
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.target import Opened
from skelgen.runtime.values.codec import I32, U32, checked

if TYPE_CHECKING:
    import os
    from typing import Final

_FAMILIES: Final = {"ipv4": 2, "ipv6": 10}  # NFPROTO_*
_HOOKS: Final = {
    "prerouting": 0,
    "input": 1,
    "forward": 2,
    "output": 3,
    "postrouting": 4,
}


class NetnsProgram(Program):
    """``SEC("sk_lookup")`` (Linux 5.9) and ``SEC("flow_dissector")`` (5.8)."""

    __slots__ = ()
    _call = "attach(netns)"

    def attach(
        self, netns: str | os.PathLike[str] | int = "/proc/thread-self/ns/net"
    ) -> Link:
        """Attach to a network namespace, by path or fd; the thread's by default."""
        prog_fd = self.fd()
        what = f"{self.what} on network namespace {netns!r}"
        with Opened(netns, "netns", what=what, hint=_no_netns) as namespace:
            try:
                fd = syscalls.link_create(
                    prog_fd, namespace, self.attach_type, what=what
                )
            except BpfOSError as error:
                from skelgen.runtime.links.place_hints import explain_netns

                explain_netns(error, namespace)
                raise
        return Link(fd, self)


def _no_netns(_path: str) -> str:
    from skelgen.runtime.links.place_hints import NAMESPACES

    return NAMESPACES


class NetfilterProgram(Program):
    """``SEC("netfilter")``, Linux 6.4."""

    __slots__ = ()
    _call = "attach(family, hook)"

    def attach(
        self,
        family: str | int,
        hook: str | int,
        *,
        priority: int = 0,
        defrag: bool = False,
    ) -> Link:
        """Attach to a hook of the calling thread's network namespace.

        ``family``: ``ipv4`` or ``ipv6`` (or ``NFPROTO_*``); ``hook``: ``prerouting``,
        ``input``, ``forward``, ``output`` or ``postrouting`` (or ``NF_INET_*``). Of
        several the lowest ``priority`` runs first, no two have the same (``EBUSY``).
        ``defrag`` puts fragments together before (Linux 6.6).
        """
        prog_fd = self.fd()
        numbers = {
            "family": _number(family, _FAMILIES, f"{self.what}: family"),
            "hook": _number(hook, _HOOKS, f"{self.what}: hook"),
            "priority": checked(I32, priority, f"{self.what}: priority"),
        }
        try:
            fd = syscalls.link_create_netfilter(
                prog_fd,
                **numbers,
                flags=1 if defrag else 0,
                what=f"{self.what} on netfilter hook {family} {hook}",
            )
        except BpfOSError as error:
            note = _NETFILTER_SAYS.get(error.errno or 0)
            if note is not None:
                error.add_note(note)
            raise
        return Link(fd, self)


_NETFILTER_SAYS: Final = {
    errno.EBUSY: "a BPF program has that priority there already; choose another",
    errno.ERANGE: (
        "the first and the last priority are the kernel's; with defrag it has to be"
        " above -400"
    ),
    errno.EAFNOSUPPORT: "this kernel has no such family, or no netfilter for it",
}


def _number(value: str | int, names: dict[str, int], what: str) -> int:
    if isinstance(value, int):
        number: int = checked(U32, value, what)
        return number
    if value not in tuple(names):
        raise ValueError(
            f"{what} must be one of {', '.join(names)}, not {shown(value)}"
        )
    return names[value]
