"""Programs whose target is in BTF: chosen at load, attached where it is."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program

if TYPE_CHECKING:
    from typing import Final

# BPF_RAW_TRACEPOINT_OPEN attaches these on kernels whose BPF_LINK_CREATE does not
_BEFORE_LINK_CREATE: Final = frozenset(
    (
        AttachType.TRACE_RAW_TP,
        AttachType.TRACE_FENTRY,
        AttachType.TRACE_FEXIT,
        AttachType.MODIFY_RETURN,
        AttachType.LSM_MAC,
    )
)


class TracingProgram(Program):
    """``tp_btf``, ``fentry``, ``fexit``, ``fmod_ret``, ``fsession``: type ``TRACING``.

    ``tp_btf`` since Linux 5.3, the others 5.5, ``fmod_ret`` 5.7, ``fsession`` 7.0.
    """

    __slots__ = ()
    _call = "set_attach_target() before load()"

    @property
    def auto_attachable(self) -> bool:
        """Whether it has a target, by ``SEC()`` or :meth:`set_attach_target`."""
        return self.attach_target is not None

    def attach(self, *, cookie: int = 0) -> Link:
        """Attach to the target that the program was loaded for.

        ``cookie`` is what ``bpf_get_attach_cookie()`` gives it (Linux 5.19).
        """
        return Link(self._attach_fd(cookie), self)

    def _attach_fd(self, cookie: int) -> int:
        prog_fd = self.fd()
        what = f"{self.what} on '{self.attach_target}'"
        try:
            return syscalls.link_create_tracing(
                prog_fd, self.attach_type, cookie=cookie, what=what
            )
        except BpfOSError as error:
            old = error.errno == errno.EINVAL and not cookie
            if not old or self.attach_type not in _BEFORE_LINK_CREATE:
                raise
        try:
            return syscalls.raw_tracepoint_open(None, prog_fd, what=what)
        except BpfOSError as error:
            if error.errno == errno.ENOENT:  # commit f3a95075549e
                error.add_note(
                    "before Linux 5.13 a program is attached once in its life; open and"
                    " load the object again"
                )
            raise


class LsmProgram(TracingProgram):
    """``SEC("lsm/<hook>")``: a security hook, type ``LSM``, Linux 5.7."""

    __slots__ = ()
