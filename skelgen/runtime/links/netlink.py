"""XDP and tc programs attached through rtnetlink, on kernels without BPF links for it.

What someone else has put in the place since is left there.
"""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.flags import (
    XDP_FLAGS_DRV_MODE,
    XDP_FLAGS_HW_MODE,
    XDP_FLAGS_SKB_MODE,
    XDP_FLAGS_UPDATE_IF_NOEXIST,
)
from skelgen.runtime import log, syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.links.attached import StayingLink
from skelgen.runtime.syscalls import rtnetlink
from skelgen.runtime.syscalls.netlink import Route

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.runtime.links.base import AttachedProgram


class _NetlinkLink(StayingLink):
    """A program on an interface. The fd is a socket of the interface's namespace."""

    __slots__ = ("_route", "ifindex")

    def __init__(
        self,
        program: AttachedProgram,
        ifindex: int,
        attach: Callable[[Route], None],
    ) -> None:
        self.ifindex: Final = ifindex
        """Index of the interface, in its network namespace."""
        self._route: Final = Route(program.what)
        try:
            super().__init__(
                syscalls.dup(self._route.fileno(), what=program.what),
                program,
                lambda: attach(self._route),
            )
        except BaseException:
            self._route.close()
            raise

    def _roll_back(self, *, interrupted: bool) -> None:
        del interrupted  # the socket knows better
        if self._route.unanswered:  # the program may be there, whatever was read
            try:
                self._detach()
            except BpfOSError as error:
                log.debug("%s: cannot take it off: %s", self.what, error)

    def _close(self) -> None:
        super()._close()
        self._route.close()


class XdpNetlinkLink(_NetlinkLink):
    """An XDP program attached with ``RTM_SETLINK``, Linux 4.8."""

    __slots__ = ("_mode",)

    def __init__(
        self, program: AttachedProgram, ifindex: int, mode: int, what: str
    ) -> None:
        self._mode: Final = mode

        def attach(route: Route) -> None:
            rtnetlink.xdp_attach(
                route,
                ifindex,
                program.fd(),
                flags=mode | XDP_FLAGS_UPDATE_IF_NOEXIST,
                what=what,
            )

        super().__init__(program, ifindex, attach)

    def _detach(self) -> None:
        ours = self._prog.fileno()
        try:
            rtnetlink.xdp_attach(
                self._route,
                self.ifindex,
                -1,
                flags=self._mode,
                expected_fd=ours,
                what=self.what,
            )
        except BpfOSError as error:
            if error.errno in _NOT_OURS:
                log.debug("%s: no longer on the interface: %s", self.what, error)
                return
            if error.errno not in {errno.EINVAL, errno.EBUSY}:
                raise
            if not self._is_there(ours):
                log.debug("%s: no longer on the interface: %s", self.what, error)
                return
            if error.errno == errno.EBUSY:
                raise
            # before Linux 5.7 it can only be looked at first
            rtnetlink.xdp_attach(
                self._route, self.ifindex, -1, flags=self._mode, what=self.what
            )

    def _is_there(self, ours: int) -> bool:
        """Return whether the program is on the interface, in the mode that it was put in."""
        state = rtnetlink.xdp_query(self._route, self.ifindex, what=self.what)
        place = _PLACES.get(self._mode)
        there = state[1:] if place is None or not any(state[2:]) else (state[place],)
        return syscalls.prog_info(ours, what=self.what).id in there


# another program, no program to replace, no interface any more
_NOT_OURS: Final = frozenset((errno.EEXIST, errno.ENOENT, errno.ENODEV))
_PLACES: Final = {XDP_FLAGS_DRV_MODE: 2, XDP_FLAGS_SKB_MODE: 3, XDP_FLAGS_HW_MODE: 4}
"""Mode to field of :class:`XdpState`: native, generic, offload."""


class TcFilterLink(_NetlinkLink):
    """A program attached as a filter of ``clsact``, Linux 4.5.

    ``clsact`` itself is made if the interface has none, and stays.
    """

    __slots__ = ("filter", "parent")

    def __init__(
        self,
        program: AttachedProgram,
        ifindex: int,
        parent: int,
        *,
        handle: int,
        priority: int,
        what: str,
    ) -> None:
        self.parent: Final = parent
        """``rtnetlink.INGRESS`` or ``EGRESS``."""
        self.filter = rtnetlink.Filter(handle, priority, 0, "", direct_action=True)
        """The filter, with the handle and priority that it got."""

        def attach(route: Route) -> None:
            _make_clsact(route, program, ifindex, parent, what)
            self.filter = rtnetlink.filter_add(
                route,
                ifindex,
                parent,
                program.fd(),
                name=program.name,
                handle=handle,
                priority=priority,
                what=what,
            )

        super().__init__(program, ifindex, attach)

    def _detach(self) -> None:
        route, mine = self._route, self.filter
        what = self.what
        ours = syscalls.prog_info(self._prog.fileno(), what=what).id
        try:
            there = rtnetlink.filter_list(route, self.ifindex, self.parent, what=what)
            found = [
                other
                for other in there
                if other.prog_id == ours
                and mine.handle in {0, other.handle}  # 0: the kernel chose it
                and mine.priority in {0, other.priority}
            ]
            if not found:
                log.debug("%s: no longer on the interface", what)
                return
            rtnetlink.filter_delete(
                route,
                self.ifindex,
                self.parent,
                handle=found[0].handle,
                priority=found[0].priority,
                what=what,
            )
        except BpfOSError as error:
            if error.errno not in _GONE:
                raise
            log.debug("%s: no longer on the interface: %s", what, error)


def _make_clsact(
    route: Route, program: AttachedProgram, ifindex: int, parent: int, what: str
) -> None:
    """Give an interface ``clsact``, unless what is there will do."""
    try:
        rtnetlink.clsact_create(route, ifindex, what=what)
    except FileExistsError as error:
        if rtnetlink.qdisc_kind(route, ifindex, what=what) != "ingress":
            raise
        if parent != rtnetlink.INGRESS:
            name = rtnetlink.interface_query(route, ifindex, what=what).name
            raise program.attach_error(
                f"interface '{name}' has the queueing discipline 'ingress' in the place"
                " of clsact, and so no filters for egress; attach through tcx (Linux"
                f" 6.6), or take it off with its filters: tc qdisc del dev {name} ingress"
            ) from error


# no interface, no clsact, no filter any more
_GONE: Final = frozenset((errno.ENODEV, errno.EINVAL, errno.ENOENT))
