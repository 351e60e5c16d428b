"""Which types of maps the kernel has: each probe makes the smallest map of the type."""

from __future__ import annotations

import errno
import mmap

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_MMAPABLE, BPF_F_NO_PREALLOC
from skelgen.runtime import syscalls
from skelgen.runtime.errors import ENOTSUPP, BpfOSError
from skelgen.runtime.kernel.features.trial import NO_FD, Verdict, make_map, verdict

if TYPE_CHECKING:
    from typing import Final

_STORAGE: Final = frozenset(
    (
        MapType.SK_STORAGE,
        MapType.INODE_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
    )
)
_OF_MAPS: Final = frozenset((MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS))

# key size, value size, entries, flags; what is not here is made of numbers
_SHAPES: Final[dict[int, tuple[int, int, int, int]]] = {
    MapType.STACK_TRACE: (4, 8, 1, 0),
    MapType.LPM_TRIE: (8, 8, 1, BPF_F_NO_PREALLOC),
    MapType.CGROUP_STORAGE: (16, 8, 0, 0),
    MapType.PERCPU_CGROUP_STORAGE: (16, 8, 0, 0),
    MapType.QUEUE: (0, 4, 1, 0),
    MapType.STACK: (0, 4, 1, 0),
    MapType.BLOOM_FILTER: (0, 4, 1, 0),
    MapType.RINGBUF: (0, 0, mmap.PAGESIZE, 0),
    MapType.USER_RINGBUF: (0, 0, mmap.PAGESIZE, 0),
    MapType.ARENA: (0, 0, 1, BPF_F_MMAPABLE),
    MapType.INSN_ARRAY: (4, 16, 1, 0),
    MapType.RHASH: (4, 4, 1, BPF_F_NO_PREALLOC),
}


def map_type(number: int) -> Verdict:
    """Try to make a map."""
    key, value, entries, flags = _SHAPES.get(number, (4, 4, 1, 0))
    try:
        if number in _OF_MAPS:
            with syscalls.Fd(make_map(MapType.HASH, 4, 4, 1)) as inner:
                fd = make_map(number, 4, 4, 1, inner_map_fd=inner.fileno())
        elif number in _STORAGE:
            # the fd of its BTF is looked at when the rest is right
            fd = make_map(number, 4, 4, 0, flags=BPF_F_NO_PREALLOC, btf_fd=NO_FD)
        elif number == MapType.STRUCT_OPS:
            fd = make_map(number, 4, 4, 1, kernel_type=1)
        else:
            fd = make_map(number, key, value, entries, flags=flags)
    except BpfOSError as error:
        known = (number in _STORAGE and error.errno == errno.EBADF) or (
            number == MapType.STRUCT_OPS and error.errno == ENOTSUPP
        )
        return (True, "") if known else verdict(error)
    syscalls.close(fd)
    return True, ""
