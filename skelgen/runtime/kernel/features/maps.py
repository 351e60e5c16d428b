"""Features of maps and of the addresses in them."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType, ProgType
from skelgen.model.flags import BPF_F_ALL_CPUS, BPF_F_MMAPABLE
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel.features.feature import Feature, Unclear, refusal
from skelgen.runtime.kernel.features.trial import (
    RETURN_0,
    loads,
    make_map,
    map_value_insn,
)

if TYPE_CHECKING:
    from typing import Final


def _array(token_fd: int, flags: int = 0) -> int:
    return make_map(MapType.ARRAY, value=32, flags=flags, token_fd=token_fd)


def _global_data(token_fd: int) -> bool:
    """Commit d8eca5bbb2be ("bpf: implement lookup-free direct value access")."""
    try:
        fd = _array(token_fd)
    except BpfOSError as error:
        raise Unclear(str(error)) from error
    with syscalls.Fd(fd):
        return loads(map_value_insn(fd) + RETURN_0, token_fd)


GLOBAL_DATA: Final = Feature("global data", "5.2", _global_data)


def _array_mmap(token_fd: int) -> bool:
    """Commit fc9702273e2e ("bpf: Add mmap() support for BPF_MAP_TYPE_ARRAY")."""
    try:
        fd = _array(token_fd, flags=BPF_F_MMAPABLE)
    except BpfOSError as error:
        return refusal(error)
    syscalls.close(fd)
    return True


ARRAY_MMAP: Final = Feature("mmap of array maps", "5.5", _array_mmap)


def _prog_bind_map(token_fd: int) -> bool:
    """Commit ef15314aa5de ("bpf: Add BPF_PROG_BIND_MAP syscall")."""
    try:
        with syscalls.Fd(_array(token_fd)) as array:
            prog = syscalls.prog_load(
                type=ProgType.SOCKET_FILTER,
                insns=RETURN_0,
                license="GPL",
                token_fd=token_fd,
            )
            with syscalls.Fd(prog):
                syscalls.prog_bind_map(prog, array.fileno())
    except BpfOSError as error:
        return refusal(error)
    return True


PROG_BIND_MAP: Final = Feature("BPF_PROG_BIND_MAP", "5.10", _prog_bind_map)


def _percpu_flags(token_fd: int) -> bool:
    """Commit 8eb76cb03f0f ("bpf: Add BPF_F_CPU and BPF_F_ALL_CPUS flags ...")."""
    try:
        fd = make_map(MapType.PERCPU_ARRAY, token_fd=token_fd)
    except BpfOSError as error:
        raise Unclear(str(error)) from error
    with syscalls.Fd(fd):
        try:
            syscalls.map_update(fd, bytes(4), bytes(4), BPF_F_ALL_CPUS)
        except BpfOSError as error:
            return refusal(error)
    return True


PERCPU_FLAGS: Final = Feature("BPF_F_CPU for per-CPU maps", "7.0", _percpu_flags)


def _ldimm64_full_range(token_fd: int) -> bool | None:
    """Commit 12a1fe6e12db ("bpf/verifier: Do not limit maximum direct offset ...").

    No array is so large: what matters is which check says so.
    """
    log = bytearray(1 << 12)
    try:
        with syscalls.Fd(_array(token_fd)) as array:
            syscalls.close(
                syscalls.prog_load(
                    type=ProgType.SOCKET_FILTER,
                    insns=map_value_insn(array.fileno(), 1 << 30) + RETURN_0,
                    license="GPL",
                    log_level=1,
                    log_buf=log,
                    token_fd=token_fd,
                )
            )
    except BpfOSError as error:
        error.__traceback__ = None  # it keeps the log's buffer
        if b"invalid access to map value pointer" in log:
            return True
        if b"direct value offset of" in log:
            return False
        return refusal(error)
    return None


LDIMM64_FULL_RANGE: Final = Feature(
    "addresses at any offset of a map", "7.0", _ldimm64_full_range
)
"""The variables of an arena are at its end with it, else at its start."""
