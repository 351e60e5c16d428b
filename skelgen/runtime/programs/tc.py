"""Programs of traffic control: tcx and netkit."""

from typing import Final, Literal

from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime import features, syscalls
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.target import HasFd, interface_index, ordering

_DIRECTIONS: Final = {
    "ingress": AttachType.TCX_INGRESS,
    "egress": AttachType.TCX_EGRESS,
}
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
    ) -> Link:
        """Attach to an interface, by name or index; tcx link, Linux 6.6.

        ``direction`` is needed for ``SEC("tc")`` and overrules the section's. The
        place among other programs: ``before`` or ``after`` a program, a link or the
        kernel id of a program, or ``first`` or ``last`` of all; last by default.
        With ``expected_revision`` (see ``prog_query``) only if nobody changed the
        order since (``ESTALE``).
        """
        prog_fd = self.fd()
        what = f"{self.what} on interface '{interface}'"
        if self.type == ProgType.SCHED_ACT:
            raise self.attach_error(
                'actions belong to a filter of tc(8); SEC("tcx/ingress") can be attached'
            )
        attach_type = self._hook(direction)
        index = interface_index(self, interface)
        flags, relative_fd, relative_id = ordering(
            before, after, first=first, last=last, what=what
        )
        features.TCX.require(what)
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
        return Link(fd, self)

    def _hook(self, direction: str | None) -> int:
        if direction is not None:
            if direction not in _DIRECTIONS:
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
