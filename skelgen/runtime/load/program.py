"""Loading one program: what the kernel is asked, again and with a log if it refuses.

The first try is without a log, which the kernel would spend most of its time on. A
kernel that is too old for a part of the request is asked without that part. Then
comes a try for the sake of the log, in as much memory as the log takes.
"""

from __future__ import annotations

import errno
import mmap

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, os_error
from skelgen.runtime.insns.bytecode import CALL, Bytecode
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from typing import Any

_FIRST_LOG = 16 << 20
"""``UINT32_MAX >> 8``, the longest log of kernels before 5.2 and libbpf's choice."""
_MAX_LOG = (1 << 30) - 1
"""``UINT32_MAX >> 2``: the kernel takes no longer buffer."""

_UNPRIVILEGED_INSNS = 4096  # BPF_MAXINSNS
_LOG_LEVELS = 3
"""Levels 1 and 2 say why; 4, statistics, does not."""

# helpers that take the place of others before Linux 5.5
_PROBE_READ = {112: 4, 113: 4, 114: 45, 115: 45}


class LogBuffer:
    """Memory that the verifier writes its log to: pages that exist when written."""

    __slots__ = ("_pages", "size")

    def __init__(self, size: int = _FIRST_LOG) -> None:
        self.size = size
        try:
            self._pages = mmap.mmap(-1, size)
        except OSError as error:
            what = f"{size >> 20} MiB for a log"
            raise os_error(error.errno or 0, command="mmap", what=what) from error

    @property
    def view(self) -> memoryview:
        """What the kernel writes to."""
        return memoryview(self._pages)

    def text(self) -> str:
        """Return the log."""
        end = self._pages.find(b"\0")
        return self._pages[: end if end >= 0 else None].decode(errors="replace")

    def close(self) -> None:
        """Give the memory back, or leave that to the last view of it."""
        try:
            self._pages.close()
        except BufferError:
            debug("log buffer: still in use by the traceback of an error")


class Refused(Exception):  # noqa: N818 - carries an answer to the one caller
    """The kernel refused a program; ``log`` may be empty, ``hint`` says why."""

    def __init__(self, error: BpfOSError, log: str, hint: str = "") -> None:
        super().__init__(str(error))
        self.error = error
        self.log = log
        self.hint = hint


def load(
    request: dict[str, Any], *, optional_attach_type: bool, log_size: int = 0
) -> tuple[int, str]:
    """Load a program; return its fd and, with a ``log_level``, the verifier's log.

    ``request`` has the arguments of :func:`syscalls.prog_load`, ``log_size`` the bytes
    of the first buffer for the log (0: 16 MiB). Raises :class:`Refused`.
    """
    size = log_size or _FIRST_LOG
    if request["log_level"]:
        try:
            return _load_with_log(request, size)
        except Refused:
            lowered = _lower(request, optional_attach_type=optional_attach_type)
            if not lowered and request["log_level"] & _LOG_LEVELS:
                raise
        # statistics do not say why
        return _load_with_log({**request, "log_level": request["log_level"] | 1}, size)
    try:
        return syscalls.prog_load(**request), ""
    except BpfOSError as error:
        debug("%s; once more with a log", error)
        refused = error.with_traceback(None)
        if _lower(request, optional_attach_type=optional_attach_type):
            try:
                return syscalls.prog_load(**request), ""
            except BpfOSError as second:
                debug("%s; once more with a log", second)
                refused = second.with_traceback(None)
    return _load_with_log({**request, "log_level": 1}, size, refused)


def _load_with_log(
    request: dict[str, Any], size: int, refused: BpfOSError | None = None
) -> tuple[int, str]:
    """Load with a log. ``refused``: what the kernel said to a try without."""
    log = ""
    while True:
        try:
            buffer = LogBuffer(size)
        except BpfOSError as error:
            if refused is None:
                raise
            raise Refused(refused, log, f"no whole verifier log: {error}") from None
        true_size: list[int] = []
        try:
            with buffer.view as view:
                fd = syscalls.prog_load(**request, log_buf=view, true_size=true_size)
            return fd, buffer.text()
        except BpfOSError as error:
            error.__traceback__ = None  # it keeps the buffer
            if error.errno != errno.ENOSPC or size >= _MAX_LOG:
                raise Refused(error, buffer.text()) from None
            refused, log = refused or error, buffer.text()
        finally:
            buffer.close()
        # Linux 6.4 tells how much it takes; before, one has to try
        size = min(max(size * 2, *true_size), _MAX_LOG)


def _lower(request: dict[str, Any], *, optional_attach_type: bool) -> bool:
    """Take out what this kernel is too old for; return whether there was any."""
    from skelgen.runtime.kernel import features

    changed = False
    if request["name"] and features.PROG_NAME.supported() is False:
        request["name"] = ""
        changed = True
    if (
        optional_attach_type
        and request["attach_type"]
        and features.EXPECTED_ATTACH_TYPE.supported() is False
    ):
        request["attach_type"] = 0
        changed = True
    if request["prog_btf_fd"] and features.BTF_FUNC.supported() is False:
        request.update(prog_btf_fd=0, func_info=b"", line_info=b"")
        changed = True
    if features.PROBE_READ_KERNEL.supported() is False:
        changed |= _use_probe_read(request)
    return changed


def _use_probe_read(request: dict[str, Any]) -> bool:
    """Call ``bpf_probe_read`` where its newer variants are not there yet."""
    import sys

    code = Bytecode(request["insns"], sys.byteorder)
    changed = False
    index = 0
    while index < len(code):
        insn = code[index]
        if insn.code == CALL and insn.src == 0 and insn.imm in _PROBE_READ:
            code[index] = insn._replace(imm=_PROBE_READ[insn.imm])
            changed = True
        index += 2 if code.is_ldimm64(index) else 1
    request["insns"] = code.data
    return changed


def without_log(
    error: BpfOSError, what: str, prog_type: int, insns: int = 0
) -> BpfOSError:
    """Return the error for a program refused before the verifier said a word."""
    result = os_error(error.errno or 0, command="BPF_PROG_LOAD", what=what)
    if error.errno in {errno.EPERM, errno.EACCES}:
        from skelgen.runtime.syscalls.rights import explain

        for note in explain("BPF_PROG_LOAD", prog_type):
            result.add_note(note)
    elif error.errno == errno.E2BIG and insns > _UNPRIVILEGED_INSNS:
        result.add_note(
            f"it has {insns:,} instructions; the kernel takes 1,000,000 from a process"
            f" with CAP_BPF, and {_UNPRIVILEGED_INSNS:,} from others and before Linux 5.2"
        )
    elif error.errno == errno.EINVAL:
        result.add_note(
            f"this kernel may not know programs of type {_type_name(prog_type)} or"
            " their expected attach type"
        )
    return result


def _type_name(number: int) -> str:
    try:
        return ProgType(number).name
    except ValueError:
        return str(number)
