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
from skelgen.runtime.errors import BpfOSError, os_error
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from skelgen.runtime.programs.request import ProgramRequest

_FIRST_LOG = 16 << 20
"""``UINT32_MAX >> 8``, the longest log of kernels before 5.2 and libbpf's choice."""
_MAX_LOG = (1 << 30) - 1
"""``UINT32_MAX >> 2``: the kernel takes no longer buffer."""

_UNPRIVILEGED_INSNS = 4096  # BPF_MAXINSNS
_LOG_LEVELS = 3
"""Levels 1 and 2 say why; 4, statistics, does not."""


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
        """The buffer that the kernel writes to."""
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

    def __init__(
        self, request: ProgramRequest, error: BpfOSError, log: str, hint: str = ""
    ) -> None:
        super().__init__(str(error))
        self.request = request
        """The last request to the kernel."""
        self.error = error
        self.log = log
        self.hint = hint


def load_program(request: ProgramRequest) -> tuple[int, str]:
    """Load a program; return its fd and, with a ``log_level``, the verifier's log.

    Raises :class:`Refused`.
    """
    size = request.log_size or _FIRST_LOG
    if request.log_level:
        try:
            return _load_with_log(request, size)
        except Refused:
            lowered = _lowered(request)
            if lowered is request and request.log_level & _LOG_LEVELS:
                raise
        # statistics do not say why
        level = request.log_level | 1
        return _load_with_log(lowered._replace(log_level=level), size)
    try:
        return request.load(), ""
    except BpfOSError as error:
        debug("%s; once more with a log", error)
        refused = error.with_traceback(None)
    lowered = _lowered(request)
    if lowered is not request:
        try:
            return lowered.load(), ""
        except BpfOSError as error:
            debug("%s; once more with a log", error)
            refused = error.with_traceback(None)
    return _load_with_log(lowered._replace(log_level=1), size, refused)


def _lowered(request: ProgramRequest) -> ProgramRequest:
    """Return a request without what this kernel is too old for, or the same one."""
    from skelgen.runtime.load.fallbacks import lowered

    return lowered(request)


def _load_with_log(
    request: ProgramRequest, size: int, refused: BpfOSError | None = None
) -> tuple[int, str]:
    """Load with a log. ``refused``: what the kernel said to a try without."""
    log = ""
    while True:
        try:
            buffer = LogBuffer(size)
        except BpfOSError as error:
            if refused is None:
                raise
            hint = f"no whole verifier log: {error}"
            raise Refused(request, refused, log, hint) from None
        true_size: list[int] = []
        try:
            with buffer.view as view:
                fd = request.load(log_buf=view, true_size=true_size)
            return fd, buffer.text()
        except BpfOSError as error:
            error.__traceback__ = None  # it keeps the buffer
            if error.errno != errno.ENOSPC or size >= _MAX_LOG:
                raise Refused(request, error, buffer.text()) from None
            refused, log = refused or error, buffer.text()
        finally:
            buffer.close()
        # Linux 6.4 reports the size of the log; older kernels need another try
        size = min(max(size * 2, *true_size), _MAX_LOG)


def without_log(
    error: BpfOSError, what: str, prog_type: int, insns: int = 0
) -> BpfOSError:
    """Return the error for a program refused before the verifier said a word."""
    result = os_error(error.errno or 0, command="BPF_PROG_LOAD", what=what)
    if error.errno in {errno.EPERM, errno.EACCES}:
        from skelgen.runtime.kernel.memlock import hints
        from skelgen.runtime.syscalls.rights import explain

        for note in explain("BPF_PROG_LOAD", prog_type, hints()):
            result.add_note(note)
    elif error.errno == errno.E2BIG and insns > _UNPRIVILEGED_INSNS:
        result.add_note(
            f"it has {insns:,} instructions; the kernel takes 1,000,000 from a process"
            f" with CAP_BPF, and {_UNPRIVILEGED_INSNS:,} from others and before Linux 5.2"
        )
    elif error.errno == errno.EINVAL:
        from skelgen.model.constants import name_of

        kind = name_of(prog_type, ProgType)
        result.add_note(
            f"this kernel may not know programs of type {kind} or their"
            " expected attach type"
        )
    return result
