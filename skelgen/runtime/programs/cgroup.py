"""Programs of control groups."""

from __future__ import annotations

from functools import partial

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.flags import BPF_F_ALLOW_MULTI
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import features
from skelgen.runtime.links.attached import AttachedLink
from skelgen.runtime.links.base import Link
from skelgen.runtime.pins import checked_path
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.target import HasFd, Opened, cgroup_hint, ordering
from skelgen.runtime.values.codec import U32, U64, checked

if TYPE_CHECKING:
    import os
    from typing import Final


class CgroupProgram(Program):
    """``SEC("cgroup_skb/egress")`` and its siblings, ``sockops``, ``lsm_cgroup``.

    Types ``CGROUP_*``, ``SOCK_OPS`` and ``LSM`` with attach type ``LSM_CGROUP``.
    """

    __slots__ = ()
    _call = "attach(cgroup)"

    def attach(
        self,
        cgroup: str | os.PathLike[str] | int,
        *,
        attach_type: AttachType | int | None = None,
        flags: int = 0,
        link: bool | None = None,
        before: HasFd | int | None = None,
        after: HasFd | int | None = None,
        first: bool = False,
        last: bool = False,
        expected_revision: int = 0,
    ) -> Link:
        """Attach to a control group (version 2), by path or fd.

        Through a BPF link (Linux 5.7), next to whatever is attached there. On older
        kernels, or with ``link=False``, with ``BPF_PROG_ATTACH`` and ``flags``:
        ``BPF_F_ALLOW_MULTI`` (2, the default), ``BPF_F_ALLOW_OVERRIDE`` (1), which
        takes the place of what is attached there; a link knows ``BPF_F_PREORDER`` (64,
        Linux 6.15) only. ``attach_type`` is needed for ``SEC("cgroup/skb")``. The place
        among other programs (Linux 6.16) is as for :meth:`TcProgram.attach`. Raises
        AttachError for what is no cgroup of version 2.
        """
        prog_fd = self.fd()
        if not isinstance(cgroup, int):
            cgroup = checked_path(cgroup, f"{self.what}: cgroup")
        what = f"{self.what} on cgroup '{cgroup}'"
        hook = self._hook(attach_type)
        if link is None:
            link = features.LINK_CREATE.supported() is not False
        place, relative_fd, relative_id = ordering(
            before, after, first=first, last=last, what=what
        )
        checked(U32, flags, f"{what}: flags")
        checked(U64, expected_revision, f"{what}: expected_revision")
        if not link:
            flags = flags or BPF_F_ALLOW_MULTI
        with Opened(
            cgroup, "cgroup", what=what, directory=True, hint=cgroup_hint
        ) as directory:
            function = syscalls.link_create_ordered if link else syscalls.prog_attach
            attach = partial(
                function,
                prog_fd,
                directory,
                hook,
                flags=flags | place,
                relative_fd=relative_fd,
                relative_id=relative_id,
                expected_revision=expected_revision,
                what=what,
            )
            try:
                if link:
                    return Link(attach() or 0, self)
                alone = not flags & BPF_F_ALLOW_MULTI
                return AttachedLink(directory, self, hook, attach, alone=alone)
            except BpfOSError as error:
                from skelgen.runtime.links.place_hints import explain_cgroup

                explain_cgroup(error, self, cgroup, directory, hook)
                raise

    def _hook(self, attach_type: int | None) -> int:
        if attach_type is not None:
            given: int = checked(U32, attach_type, f"{self.what}: attach_type")
            return given
        # CGROUP_INET_INGRESS is 0 too, but cgroup/skb means either
        if self.attach_type == 0 and self.spec.section.lstrip("?") == "cgroup/skb":
            raise self.attach_error(
                'SEC("cgroup/skb") does not say in which direction; call '
                "attach(cgroup, attach_type=AttachType.CGROUP_INET_INGRESS)"
            )
        return _DEFAULT_HOOKS.get(self.type, 0) or self.attach_type


# the loader may have left out what an old kernel does not know
_DEFAULT_HOOKS: Final[dict[int, int]] = {
    ProgType.SOCK_OPS: AttachType.CGROUP_SOCK_OPS,
    ProgType.CGROUP_DEVICE: AttachType.CGROUP_DEVICE,
    ProgType.CGROUP_SYSCTL: AttachType.CGROUP_SYSCTL,
}
