"""Programs of traffic control: tcx and netkit."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.runtime.kernel import features
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.target import HasFd, interface_index, ordering
from skelgen.runtime.values.codec import U16, U32, U64, checked

if TYPE_CHECKING:
    from typing import Final, Literal

_DIRECTIONS: Final = {
    "ingress": AttachType.TCX_INGRESS,
    "egress": AttachType.TCX_EGRESS,
}
_PARENTS: Final[dict[int, int]] = {  # rtnetlink.INGRESS and EGRESS
    AttachType.TCX_INGRESS: 0xFFFFFFF2,
    AttachType.TCX_EGRESS: 0xFFFFFFF3,
}
_ACTION: Final = (
    'actions belong to a filter of tc(8); SEC("tcx/ingress") can be attached'
)
_FROM_SECTION: Final = frozenset(
    (
        AttachType.TCX_INGRESS,
        AttachType.TCX_EGRESS,
        AttachType.NETKIT_PRIMARY,
        AttachType.NETKIT_PEER,
    )
)


class TcProgram(Program):
    """``SEC("tcx/ingress")``, ``tc``, ``netkit/primary``, ...: type ``SCHED_CLS``."""

    __slots__ = ()

    @property
    def by_hand(self) -> str:
        """Why the object's ``attach()`` passes it over, and what to call for it."""
        where = f'SEC("{self.spec.section}") does not say where to attach'
        if self.type == ProgType.SCHED_ACT:
            return _ACTION
        if self.attach_type in _FROM_SECTION:
            return f"{where}; call attach(interface)"
        return f"{where}; call attach(interface, direction='ingress') or 'egress'"

    def attach(
        self,
        interface: str | int,
        *,
        direction: Literal["ingress", "egress"] | None = None,
        before: HasFd | int | None = None,
        after: HasFd | int | None = None,
        first: bool = False,
        last: bool = False,
        expected_revision: int = 0,
        link: bool | None = None,
        handle: int = 0,
        priority: int = 0,
    ) -> Link:
        """Attach to an interface, by name or index.

        ``direction`` is needed for ``SEC("tc")`` and overrules the section's. The
        place among other programs: ``before`` or ``after`` a program, a link or the
        kernel id of a program, or ``first`` or ``last`` of all; last by default.
        With ``expected_revision`` (see ``prog_query``) only if nobody changed the
        order since (``ESTALE``).

        Through a tcx link (Linux 6.6); on older kernels, with ``link=False`` or when
        ``handle`` or ``priority`` is given, as a direct-action filter of ``clsact``
        (4.5): of several the lowest priority runs first, and the kernel chooses what
        is 0. A filter stays after the process unless the link is destroyed.
        """
        prog_fd = self.fd()
        what = f"{self.what} on interface '{interface}'"
        if self.type == ProgType.SCHED_ACT:
            raise self.attach_error(_ACTION)
        checked(U32, handle, f"{what}: handle")
        checked(U16, priority, f"{what}: priority")
        checked(U64, expected_revision, f"{what}: expected_revision")
        attach_type = self._hook(direction)
        index = interface_index(self, interface)
        flags, relative_fd, relative_id = ordering(
            before, after, first=first, last=last, what=what
        )
        if link is None:
            link = not handle and not priority
            # netkit has no filters to fall back on
            if attach_type in _PARENTS and features.TCX.supported() is False:
                link = False
        if link and (handle or priority):
            raise ValueError(f"{what}: handle and priority are for filters, not links")
        if not link:
            if attach_type not in _PARENTS:
                raise ValueError(f"{what}: netkit programs have links alone")
            if flags or expected_revision:
                features.TCX.require(what)
                raise ValueError(
                    f"{what}: before, after, first, last and expected_revision are"
                    " for tcx links, handle and priority for filters"
                )
            return self._filter(index, attach_type, handle, priority, what)
        _require(attach_type, what)
        try:
            fd = syscalls.link_create_ordered(
                prog_fd,
                index,
                attach_type,
                flags=flags,
                relative_fd=relative_fd,
                relative_id=relative_id,
                expected_revision=expected_revision,
                what=what,
            )
        except BpfOSError as error:
            from skelgen.runtime.links.network_hints import explain_tcx

            explain_tcx(error, self, index, netkit=attach_type not in _PARENTS)
            raise
        return Link(fd, self)

    def _filter(
        self, index: int, attach_type: int, handle: int, priority: int, what: str
    ) -> Link:
        from skelgen.runtime.links.netlink import TcFilterLink

        parent = _PARENTS[attach_type]
        return TcFilterLink(
            self, index, parent, handle=handle, priority=priority, what=what
        )

    def _hook(self, direction: str | None) -> int:
        if direction is not None:
            known = tuple(_DIRECTIONS)
            if direction not in known:
                raise ValueError(
                    f"{self.what}: direction must be 'ingress' or 'egress', "
                    f"not {direction!r}"
                )
            return _DIRECTIONS[direction]
        if self.attach_type not in _FROM_SECTION:
            raise self.attach_error(
                f'SEC("{self.spec.section}") does not say in which direction; '
                "call attach(interface, direction='ingress')"
            )
        return self.attach_type


def _require(attach_type: int, what: str) -> None:
    """Raise NotSupportedError where the kernel has no links of that kind."""
    if attach_type in _PARENTS:
        features.TCX.require(what)
    elif features.TCX.supported() is False:  # netkit came one version later
        raise NotSupportedError(
            "this kernel has no netkit", feature="netkit", since="6.7", what=what
        )
