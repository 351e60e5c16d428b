"""Giving an object's BTF to the kernel.

BTF is wanted as it is; a kernel that does not know all of it gets a copy in words
that it knows (:mod:`skelgen.runtime.load.btf_sanitize`), and as C would have it
(:mod:`skelgen.runtime.load.btf_foreign`). Most objects do without if need
be: they lose types of maps, and line information.
"""

import errno

from skelgen._record import Record
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.load.program import LogBuffer
from skelgen.runtime.log import debug

_LOG_SIZE = 1 << 20


class LoadedBtf(Record):
    """BTF in the kernel, or why it is not."""

    fd: int = 0
    """0 where there is none."""
    functions: bool = True
    """Whether it still describes functions, so that func_info makes sense."""
    refusal: str = ""
    """What the kernel said of BTF that it did not take."""


def load_btf(
    data: bytes | memoryview, what: str, *, required: bool, token_fd: int = 0
) -> LoadedBtf:
    """Load BTF.

    Raises :class:`BpfOSError` when the object cannot do without, and when this
    process may not load any.
    """
    try:
        return LoadedBtf(syscalls.btf_load(data, token_fd=token_fd, what=what))
    except BpfOSError as error:
        if error.errno in {errno.EPERM, errno.EACCES}:
            raise
        first = error.with_traceback(None)
    # for old kernels, and for what no C compiler wrote
    from skelgen.runtime.load import btf_foreign, btf_sanitize

    adapted = btf_foreign.adapt(bytes(data))
    clean = btf_sanitize.sanitize(adapted or bytes(data))
    if clean is None and adapted is not None:
        clean = btf_sanitize.Sanitized(adapted, functions=True)
    if clean is not None:
        try:
            fd = syscalls.btf_load(clean.data, token_fd=token_fd, what=what)
            return LoadedBtf(fd, clean.functions)
        except BpfOSError as error:
            first, data = error, clean.data
    refusal = _reason(bytes(data), token_fd) or str(first.strerror)
    if required:
        first.add_note(f"the kernel says: {refusal}")
        raise first
    debug("%s: %s: %s; doing without", what, first, refusal)
    return LoadedBtf(refusal=refusal)


def _reason(data: bytes, token_fd: int) -> str:
    """Return what the kernel does not like, from the last line of its log."""
    buffer = LogBuffer(_LOG_SIZE)
    try:
        with buffer.view as view:
            syscalls.close(
                syscalls.btf_load(data, log_level=1, log_buf=view, token_fd=token_fd)
            )
    except BpfOSError as error:
        error.__traceback__ = None  # it keeps the buffer
    lines = buffer.text().split("\n")
    buffer.close()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
