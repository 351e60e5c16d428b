"""The request for a program: all that the kernel is told at load."""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class ProgramRequest(Record):
    """A program as the kernel is asked to load it, by the names of ``union bpf_attr``."""

    type: int
    insns: bytes | bytearray
    name: str
    """The kernel's, 15 characters at most."""
    license: str = ""
    attach_type: int = 0
    flags: int = 0
    kern_version: int = 0
    log_level: int = 0
    ifindex: int = 0
    prog_btf_fd: int = 0
    func_info: bytes = b""
    line_info: bytes = b""
    attach_btf_id: int = 0
    attach_prog_fd: int = 0
    attach_btf_obj_fd: int = 0
    fd_array: Sequence[int] = ()
    token_fd: int = 0
    what: str = ""
    """How errors call the program."""
    spare_attach_type: int = 0
    """The attach type, where the kernel can do without."""
    log_size: int = 0
    """Bytes of the first buffer for the verifier's log, 0 for the usual."""

    def load(self, **log: Any) -> int:  # noqa: ANN401 (of the log)
        """Load it and return its fd; ``log`` has ``log_buf`` and ``true_size``."""
        asked = self._asdict()
        del asked["spare_attach_type"], asked["log_size"]
        return syscalls.prog_load(**asked, **log)
