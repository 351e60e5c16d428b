"""``struct bpf_common_attr``: a log from any command, Linux 7.2 (``linux/bpf.h``)."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.syscalls.layout import Layout

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.syscalls.buffers import Memory

_COMMON: Final = Layout("=QIIIxxxx", "log_buf log_buf log_level log_true_size")


def with_log(
    memory: Memory, log_buf: bytearray | memoryview, log_level: int, what: str
) -> bytearray:
    """Return the second argument of a command that writes a log to ``log_buf``.

    ``memory`` keeps the buffer in place. A kernel with ``features.COMMON_ATTRS`` takes
    it, others refuse the whole command (``EINVAL``).
    """
    address = memory.write(log_buf, "log_buf", what)
    return bytearray(_COMMON.pack(what, address, len(log_buf), log_level, 0))
