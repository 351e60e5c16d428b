"""Which types of maps the kernel has: each probe makes the smallest map of the type."""

from __future__ import annotations

import errno
import mmap

from skelgen._typing import TYPE_CHECKING
from skelgen.model import map_types
from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import ENOTSUPP, BpfOSError
from skelgen.runtime.kernel.features.trial import NO_FD, Verdict, make_map, verdict

if TYPE_CHECKING:
    from skelgen.model.map_types import Sizes


def map_type(number: int) -> Verdict:
    """Try to make a map."""
    row = map_types.row(number)
    entries = (mmap.PAGESIZE if row.unit == "byte" else 1) if row.entries else 0
    expected = 0
    try:
        if row.of_maps:
            with syscalls.Fd(make_map(MapType.HASH)) as inner:
                fd = make_map(number, inner_map_fd=inner.fileno())
        elif row.btf == "required":
            # the fd of its BTF is looked at when the rest is right
            expected = errno.EBADF
            fd = make_map(number, entries=entries, flags=row.flags, btf_fd=NO_FD)
        elif number == MapType.STRUCT_OPS:
            expected = ENOTSUPP
            fd = make_map(number, kernel_type=1)
        else:
            fd = make_map(
                number, _size(row.key), _size(row.value), entries, flags=row.flags
            )
    except BpfOSError as error:
        return (True, "") if error.errno == expected else verdict(error)
    syscalls.close(fd)
    return True, ""


def _size(sizes: Sizes) -> int:
    """Return a size that is allowed: 8 where there is a choice, as stack traces want."""
    return 8 if isinstance(sizes, range) else sizes[0]
