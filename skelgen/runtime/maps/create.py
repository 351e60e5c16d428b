"""Making maps: what the kernel is asked for, and again where it is too old."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError, describe, os_error
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.maps.request import MapRequest

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

    def attempt(name: str, *, with_types: bool) -> int:
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
    raise _explained(first, wanted, what)


def _explained(error: BpfOSError, wanted: MapRequest, what: str) -> BpfOSError:
    """Return the error with what is known of its cause."""
    from skelgen.runtime.maps import limits

    number = error.errno or 0
    reason = limits.reason(wanted, number)
    if reason is None:
        if number == errno.EPERM:
            from skelgen.runtime.kernel.memlock import blame

            blame(error, wanted.type)
        return error
    result = os_error(
        number, f"{describe(number)}: {reason}", command=error.command, what=what
    )
    result.add_note(limits.definition(wanted))
    return result
