"""The smallest programs and maps, made to see how the kernel takes them."""

from __future__ import annotations

import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.model import prog_types
from skelgen.model.enums import ProgType
from skelgen.model.flags import BPF_F_SLEEPABLE
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel.features.feature import UNCLEAR, refusal

if TYPE_CHECKING:
    from typing import Any, Final

EXIT: Final = struct.pack("=BBhi", 0x95, 0, 0, 0)
RETURN_0: Final = struct.pack("=BBhi", 0xB7, 0, 0, 0) + EXIT

NO_FD: Final = 0x7FFFFFFF
"""An fd and an interface that cannot be: beyond any limit."""

Verdict = tuple[bool | None, str]
"""Whether the kernel has it, ``None`` if it cannot be told, and the kernel's words."""


def verdict(error: BpfOSError) -> Verdict:
    """Return the verdict of a refusal: ``None`` where it is not about the feature."""
    return (None if error.errno in UNCLEAR else False), str(error.strerror)


# -- instructions --------------------------------------------------------------


def call_insn(helper: int) -> bytes:
    """Return the call of a helper."""
    return struct.pack("=BBhi", 0x85, 0, 0, helper)


def regs(dst: int, src: int) -> int:
    """Return the register byte, whose nibbles swap with the byte order."""
    little = struct.pack("=H", 1)[0] == 1
    return src << 4 | dst if little else dst << 4 | src


def map_value_insn(fd: int, offset: int = 0) -> bytes:
    """Return the load of an address in a map's value into r1."""
    return struct.pack("=BBhiBBhi", 0x18, regs(1, 2), 0, fd, 0, 0, 0, offset)


# -- maps ----------------------------------------------------------------------


def make_map(
    number: int,
    key: int = 4,
    value: int = 4,
    entries: int = 1,
    *,
    flags: int = 0,
    inner_map_fd: int = 0,
    btf_fd: int = 0,
    kernel_type: int = 0,
    token_fd: int = 0,
) -> int:
    """Return the fd of a new map. Raises :class:`BpfOSError`."""
    return syscalls.map_create(
        type=number,
        key_size=key,
        value_size=value,
        max_entries=entries,
        flags=flags,
        inner_map_fd=inner_map_fd,
        btf_fd=btf_fd,
        btf_key_type_id=1 if btf_fd else 0,
        btf_value_type_id=1 if btf_fd else 0,
        btf_vmlinux_value_type_id=kernel_type,
        token_fd=token_fd,
    )


# -- programs ------------------------------------------------------------------


def loads(
    insns: bytes,
    token_fd: int,
    prog_type: int = ProgType.SOCKET_FILTER,
    **more: Any,  # noqa: ANN401 - arguments of syscalls.prog_load
) -> bool:
    """Return whether a program loads; ``more`` goes to :func:`syscalls.prog_load`.

    Raises :class:`Unclear`.
    """
    try:
        fd = syscalls.prog_load(
            type=prog_type, insns=insns, license="GPL", token_fd=token_fd, **more
        )
    except BpfOSError as error:
        return refusal(error)
    syscalls.close(fd)
    return True


_LOG_SIZE: Final = 1 << 16


class Trial:
    """A program that was tried, with the log of the verifier."""

    __slots__ = ("error", "log")

    def __init__(
        self,
        prog_type: int,
        insns: bytes,
        *,
        attach_type: int | None = None,
        attach_btf_id: int = 0,
        fd_array: tuple[int, ...] = (),
    ) -> None:
        self.error: BpfOSError | None = None
        """Why it was refused."""
        log = bytearray(_LOG_SIZE)
        if attach_type is None:
            attach_type = prog_types.row(prog_type).load_attach_type
        version = 0
        if prog_type == ProgType.KPROBE:
            from skelgen.runtime.kernel.version import kernel_version

            version = kernel_version()
        try:
            fd = syscalls.prog_load(
                type=prog_type,
                insns=insns,
                license="GPL",
                attach_type=attach_type,
                flags=BPF_F_SLEEPABLE if prog_type == ProgType.SYSCALL else 0,
                kern_version=version,
                attach_btf_id=attach_btf_id,
                fd_array=fd_array,
                log_level=1,
                log_buf=log,
            )
        except BpfOSError as error:
            error.__traceback__ = None  # it keeps the log's buffer
            self.error = error
        else:
            syscalls.close(fd)
        self.log: str = bytes(log).split(b"\0", 1)[0].decode(errors="replace")
        """The verifier's; empty when the kernel said no before."""
