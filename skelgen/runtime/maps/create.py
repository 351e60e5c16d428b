"""Making maps: what the kernel is asked for, and again where it is too old."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError, describe, os_error
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.runtime.maps.request import MapRequest

_LOG_SIZE: Final = 4096
_NOT_THE_TYPES: Final = frozenset({errno.EPERM, errno.ENOMEM})


def create(wanted: MapRequest, what: str, *, btf_fd: int = 0, token_fd: int = 0) -> int:
    """Make a map and return its fd.

    Raises :class:`BpfOSError`. A kernel that does not like the types of keys and
    values gets none, one that knows no names of maps (before 4.15) none.
    """
    inner_fd = 0
    if wanted.inner is not None:
        inner_fd = create(
            wanted.inner, f"{what}: inner map", btf_fd=btf_fd, token_fd=token_fd
        )
    try:
        return _create(wanted, what, inner_fd, btf_fd, token_fd)
    finally:
        if inner_fd:
            syscalls.close(inner_fd)


def _create(
    wanted: MapRequest, what: str, inner_fd: int, btf_fd: int, token_fd: int
) -> int:
    typed = btf_fd and (
        wanted.key_type_id or wanted.value_type_id or wanted.kernel_type_id
    )

    def attempt(
        name: str, *, with_types: bool, log_buf: bytearray | None = None
    ) -> int:
        return syscalls.map_create(
            type=wanted.type,
            key_size=wanted.key_size,
            value_size=wanted.value_size,
            max_entries=wanted.max_entries,
            flags=wanted.flags,
            name=name,
            numa_node=wanted.numa_node,
            inner_map_fd=inner_fd,
            btf_fd=btf_fd if with_types else 0,
            btf_key_type_id=wanted.key_type_id if with_types else 0,
            btf_value_type_id=wanted.value_type_id if with_types else 0,
            btf_vmlinux_value_type_id=wanted.kernel_type_id,
            map_extra=wanted.map_extra,
            ifindex=wanted.ifindex,
            value_type_btf_obj_fd=wanted.module_fd,
            token_fd=token_fd,
            excl_prog_hash=wanted.program_hash or None,
            log_level=1,
            log_buf=log_buf,
            what=what,
        )

    try:
        return attempt(wanted.name, with_types=bool(typed))
    except BpfOSError as error:
        first = error.with_traceback(None)  # which would keep the frames
    if typed and not wanted.kernel_type_id and first.errno not in _NOT_THE_TYPES:
        debug("%s; once more without BTF", first)
        try:
            return attempt(wanted.name, with_types=False)
        except BpfOSError as error:
            debug("%s", error)
    if first.errno in {errno.EINVAL, errno.E2BIG}:
        from skelgen.runtime.kernel import features

        if features.PROG_NAME.supported() is False:
            return attempt("", with_types=False)
    if wanted.program_hash and first.errno == errno.E2BIG:
        # the attribute, or the map: without the hash it is the map
        fd = create(
            wanted._replace(program_hash=b""), what, btf_fd=btf_fd, token_fd=token_fd
        )
        syscalls.close(fd)
        raise NotSupportedError(
            "this kernel has no maps of one program (exclusive_program)",
            feature="excl_prog_hash of BPF_MAP_CREATE",
            since="6.18",
            what=what,
        ) from first
    said = _said(
        lambda log_buf: attempt(wanted.name, with_types=bool(typed), log_buf=log_buf)
    )
    raise _explained(first, wanted, what, said)


def _said(attempt: Callable[[bytearray], int]) -> str:
    """Return what the kernel writes about a refusal; nothing before Linux 7.2."""
    from skelgen.runtime.kernel import features

    if features.COMMON_ATTRS.supported() is not True:
        return ""
    log_buf = bytearray(_LOG_SIZE)
    try:
        syscalls.close(attempt(log_buf))
    except BpfOSError as error:
        debug("%s", error)
        error.__traceback__ = None  # it keeps the buffer
    lines = bytes(log_buf).partition(b"\0")[0].decode(errors="replace").split("\n")
    return "; ".join(line.strip().rstrip(".") for line in lines if line.strip())


def _explained(
    error: BpfOSError, wanted: MapRequest, what: str, said: str
) -> BpfOSError:
    """Return the error with what is known of its cause.

    ``said`` is the kernel's own log.
    """
    from skelgen.runtime.maps import limits

    number = error.errno or 0
    reason = limits.reason(wanted, number)
    if reason is None:
        if said:
            error.add_note(f"the kernel says: {said}")
        if number == errno.EPERM:
            from skelgen.runtime.kernel.memlock import blame

            blame(error, wanted.type)
        return error
    if said:
        reason = f"the kernel says '{said}'; {reason}"
    result = os_error(
        number, f"{describe(number)}: {reason}", command=error.command, what=what
    )
    result.add_note(limits.definition(wanted))
    return result
