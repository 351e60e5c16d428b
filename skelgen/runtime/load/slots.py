"""Slots of maps whose values are maps or programs: load puts fds into them."""

import sys

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls

if TYPE_CHECKING:
    from skelgen.runtime.syscalls.sizes import CopySizes


def fill_slot(
    name: str, sizes: "CopySizes", fd: int, index: int, value: int, thing: str
) -> bytes:
    """Put the fd of a map or program into a slot of the map ``fd``; return its key.

    ``name`` is the map's, ``thing`` what is put in, for messages.
    """
    key = index.to_bytes(sizes.key, sys.byteorder)
    syscalls.map_update(
        fd,
        key,
        value.to_bytes(4, sys.byteorder),
        what=f"map '{name}': slot {index} for {thing}",
        sizes=sizes,
    )
    return key
