"""XDP and tc programs attached through rtnetlink, on kernels without BPF links for it.

What someone else has put in the place since is left there.
"""

from __future__ import annotations

import errno

from skelgen.runtime import log, syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.links.attached import StayingLink
from skelgen.runtime.syscalls import rtnetlink
from skelgen.runtime.syscalls.rtnetlink import Route
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.runtime.programs.base import Program


class _NetlinkLink(StayingLink):
    """A program on an interface. The fd is a socket of the interface's namespace."""

    __slots__ = ("_route", "ifindex")

    def __init__(
        self,
        program: Program,
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

    def _give_up(self) -> None:
        if self._route.unanswered:  # the program may be there, whatever was read
            try:
                self._take_off()
            except BpfOSError as error:
                log.debug("%s: cannot take it off: %s", self.what, error)

    def _close(self) -> None:
        super()._close()
        self._route.close()


class XdpNetlinkLink(_NetlinkLink):
    """An XDP program attached with ``RTM_SETLINK``, Linux 4.8."""

    __slots__ = ("_mode",)

    def __init__(self, program: Program, ifindex: int, mode: int, what: str) -> None:
        self._mode: Final = mode

        def attach(route: Route) -> None:
            rtnetlink.xdp_attach(
                route,
                ifindex,
                program.fd(),
                flags=mode | rtnetlink.XDP_FLAGS_UPDATE_IF_NOEXIST,
                what=what,
            )

        super().__init__(program, ifindex, attach)

    def _take_off(self) -> None:
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
            if error.errno != errno.EINVAL:
                raise
            # before Linux 5.7 it can only be looked at first
            state = rtnetlink.xdp_query(self._route, self.ifindex, what=self.what)
            if syscalls.prog_info(ours, what=self.what).id in state[1:]:
                rtnetlink.xdp_attach(
                    self._route, self.ifindex, -1, flags=self._mode, what=self.what
                )


# another program, no program to replace, no interface any more
_NOT_OURS: Final = frozenset((errno.EEXIST, errno.ENOENT, errno.ENODEV))


class TcFilterLink(_NetlinkLink):
    """A program attached as a filter of ``clsact``, Linux 4.5.

    ``clsact`` itself is made if the interface has none, and stays.
    """

    __slots__ = ("filter", "parent")

    def __init__(
        self,
        program: Program,
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
            rtnetlink.clsact_create(route, ifindex, what=what)
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

    def _take_off(self) -> None:
        route, mine = self._route, self.filter
        what = self.what
        try:
            ours = syscalls.prog_info(self._prog.fileno(), what=what).id
            there = rtnetlink.filter_list(route, self.ifindex, self.parent, what=what)
            found = [
                other
                for other in there
                if other.prog_id == ours
                and mine.handle in {0, other.handle}  # 0: the kernel chose it
                and mine.priority in {0, other.priority}
            ]
            if len(found) != 1:
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


# no interface, no clsact, no filter any more
_GONE: Final = frozenset((errno.ENODEV, errno.EINVAL, errno.ENOENT))
