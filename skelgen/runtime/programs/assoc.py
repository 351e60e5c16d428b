"""Programs that belong to a struct_ops map without being operations of it."""

from __future__ import annotations

import errno

from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError


def assoc_struct_ops(prog_fd: int, map_fd: int, what: str) -> None:
    """Tie a program to a struct_ops map; ValueError for a map of another type."""
    kind = syscalls.map_info(map_fd, what=f"{what}: map").type
    if kind != MapType.STRUCT_OPS:
        from skelgen.model.constants import name_of

        raise ValueError(
            f"{what}: map fd {map_fd} is {name_of(kind, MapType)}, and a program is tied"
            " to a STRUCT_OPS map"
        )
    try:
        syscalls.prog_assoc_struct_ops(prog_fd, map_fd, what=what)
    except BpfOSError as error:
        if error.errno == errno.EBUSY:
            error.add_note(
                "it is tied to another struct_ops map, for as long as it lives"
            )
        if error.errno != errno.EINVAL:
            raise
        raise NotSupportedError(
            "this kernel ties no programs to struct_ops maps",
            feature="BPF_PROG_ASSOC_STRUCT_OPS",
            since="6.19",
            what=what,
        ) from error
