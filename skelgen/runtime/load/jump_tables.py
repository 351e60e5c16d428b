"""Jump tables of programs: maps of instructions (Linux 6.19)."""

from __future__ import annotations

import errno
import sys
from struct import Struct

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.spec import JumpTable
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.runtime.syscalls.sizes import CopySizes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skelgen.model.spec import Reloc
    from skelgen.runtime.undo import Undo

_VALUE = Struct("=IIQ")
"""``struct bpf_insn_array_value``: instruction, what the kernel made of it."""


def make_jump_tables(
    program: str, relocs: Iterable[Reloc], made: Undo, token_fd: int
) -> dict[tuple[int, ...], int]:
    """Make the maps of a program's jump tables; return their fds by contents.

    ``made`` gets what closes them: a program keeps them once it is loaded.
    """
    tables: dict[tuple[int, ...], int] = {}
    for reloc in relocs:
        if isinstance(reloc, JumpTable) and reloc.targets not in tables:
            what = f"program '{program}': jump table"
            tables[reloc.targets] = _make(reloc.targets, made, what, token_fd)
    return tables


def _make(targets: tuple[int, ...], made: Undo, what: str, token_fd: int) -> int:
    """Make a map of instructions, with its contents."""
    try:
        fd = syscalls.map_create(
            type=MapType.INSN_ARRAY,
            key_size=4,
            value_size=_VALUE.size,
            max_entries=len(targets),
            name=".jumptables",
            token_fd=token_fd,
            what=what,
        )
    except BpfOSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise NotSupportedError(
            "this kernel has no jump tables; compile with -fno-jump-tables",
            feature="BPF_MAP_TYPE_INSN_ARRAY",
            since="6.19",
            what=what,
        ) from error
    made.add(syscalls.Fd(fd).close)
    sizes = CopySizes(MapType.INSN_ARRAY, 4, _VALUE.size, _VALUE.size)
    for index, insn in enumerate(targets):
        key = index.to_bytes(4, sys.byteorder)
        value = _VALUE.pack(insn, 0, 0)
        syscalls.map_update(fd, key, value, what=what, sizes=sizes)
    syscalls.map_freeze(fd, what=what)
    return fd
