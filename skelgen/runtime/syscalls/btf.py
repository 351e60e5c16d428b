"""``BPF_BTF_LOAD``. Layout: ``union bpf_attr``, ``linux/bpf.h``."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import readable
from skelgen.model.enums import Command
from skelgen.model.flags import BPF_F_TOKEN_FD
from skelgen.runtime.syscalls.buffers import Buffer, Memory
from skelgen.runtime.syscalls.call import bpf
from skelgen.runtime.syscalls.fd import check_fd
from skelgen.runtime.syscalls.layout import Layout

if TYPE_CHECKING:
    from typing import Final

_LOAD: Final = Layout(
    "=QQIIIIIi",
    "data log_buf data log_buf log_level log_true_size flags token_fd",
)


def btf_load(
    data: Buffer,
    log_level: int = 0,
    log_buf: bytearray | memoryview | None = None,
    token_fd: int = 0,
    *,
    what: str = "",
) -> int:
    """Give BTF to the kernel and return its fd: ``BPF_BTF_LOAD``, Linux 4.18.

    With ``log_level`` 1 or more the kernel says in ``log_buf`` what it does not like.
    """
    memory = Memory()
    attr = bytearray(
        _LOAD.pack(
            what,
            memory.read(readable(data, "data", what)),
            memory.write(log_buf, "log_buf", what) if log_level else 0,
            len(data),
            len(log_buf or b"") if log_level else 0,
            log_level,
            0,
            BPF_F_TOKEN_FD if token_fd else 0,
            token_fd,
        )
    )
    return check_fd(Command.BTF_LOAD, bpf(Command.BTF_LOAD, attr), what or "BTF")
