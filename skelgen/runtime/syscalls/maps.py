"""``bpf(2)`` commands on maps. Layouts: ``union bpf_attr``, ``linux/bpf.h``."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import must_be, name_bytes, number
from skelgen.model.enums import Command
from skelgen.model.flags import (
    BPF_F_NUMA_NODE,
    BPF_F_TOKEN_FD,
    BPF_F_VTYPE_BTF_OBJ_FD,
)
from skelgen.plain import plain
from skelgen.runtime.syscalls.buffers import Buffer, Memory, byte_count
from skelgen.runtime.syscalls.call import bpf, check
from skelgen.runtime.syscalls.fd import check_fd
from skelgen.runtime.syscalls.layout import Layout
from skelgen.runtime.syscalls.sizes import CopySizes, check_room, copy_sizes, named_map

if TYPE_CHECKING:
    from typing import Final

_CREATE: Final = Layout(
    "=IIIIIII16sIIIIIQiiQI",
    "type key_size value_size max_entries flags inner_map_fd numa_node name ifindex"
    " btf_fd btf_key_type_id btf_value_type_id btf_vmlinux_value_type_id map_extra"
    " value_type_btf_obj_fd token_fd excl_prog_hash excl_prog_hash",
)
_ELEMENT: Final = Layout("=IxxxxQQQ", "fd key value flags")
_U32: Final = (0, (1 << 32) - 1)
_U64: Final = (0, (1 << 64) - 1)


def map_create(
    *,
    type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    name: str = "",
    numa_node: int | None = None,
    inner_map_fd: int = 0,
    btf_fd: int = 0,
    btf_key_type_id: int = 0,
    btf_value_type_id: int = 0,
    btf_vmlinux_value_type_id: int = 0,
    map_extra: int = 0,
    ifindex: int = 0,
    value_type_btf_obj_fd: int = 0,
    token_fd: int = 0,
    excl_prog_hash: Buffer | None = None,
    log_level: int = 0,
    log_buf: bytearray | memoryview | None = None,
    what: str = "",
) -> int:
    """Create a map and return its fd: ``BPF_MAP_CREATE``, Linux 3.18.

    Sizes are in bytes, ``type`` a :class:`MapType`, ``flags`` ``BPF_F_*``; the flag
    that goes with ``numa_node``, ``value_type_btf_obj_fd`` and ``token_fd`` is set
    here. The kernel keeps 15 bytes of the name (Linux 4.15). With ``log_level`` 1 or
    more it says in ``log_buf`` what it does not like (``BPF_COMMON_ATTRS``, Linux 7.2;
    others refuse the whole call with ``EINVAL``).
    """
    memory = Memory()
    what = what or f"map '{plain(str(name))}'"
    flags = number(flags, "flags", _U32, what)
    if numa_node is not None:
        flags |= BPF_F_NUMA_NODE
    if value_type_btf_obj_fd:
        flags |= BPF_F_VTYPE_BTF_OBJ_FD
    if token_fd:
        flags |= BPF_F_TOKEN_FD
    attr = bytearray(
        _CREATE.pack(
            what,
            type,
            key_size,
            value_size,
            max_entries,
            flags,
            inner_map_fd,
            numa_node or 0,
            name_bytes(name, "name", what),
            ifindex,
            btf_fd,
            btf_key_type_id,
            btf_value_type_id,
            btf_vmlinux_value_type_id,
            map_extra,
            value_type_btf_obj_fd,
            token_fd,
            memory.read(excl_prog_hash, "excl_prog_hash", what),
            len(excl_prog_hash or b""),
        )
    )
    common = None
    if log_level and log_buf is not None:
        # wanted where a map was refused
        from skelgen.runtime.syscalls.common_attrs import with_log

        common = with_log(memory, log_buf, log_level, what)
    command = Command.MAP_CREATE
    return check_fd(command, bpf(command, attr, common=common), what, kind=type)


# -- elements ------------------------------------------------------------------
#
# Each call asks the kernel first what it will copy for this map, unless who made the map
# says: a buffer that is too small is a ValueError, never memory of someone else.


def _element(
    command: int,
    fd: int,
    key: Buffer | None,
    value: int,
    flags: int,
    memory: Memory,
    what: str,
) -> tuple[int, int]:
    address = memory.read(key, "key", what)
    attr = bytearray(_ELEMENT.pack(what, fd, address, value, flags))
    return bpf(command, attr)


def _check_element(
    fd: int,
    key: Buffer | None,
    value: Buffer | None,
    what: str,
    sizes: CopySizes | None = None,
    flags: int = 0,
) -> CopySizes:
    """Refuse a key or value that the kernel would read or write past."""
    if sizes is None:
        sizes = copy_sizes(fd, what=what)
    else:
        must_be(CopySizes, sizes, "sizes", "CopySizes", what)
    if key is not None:
        check_room(what, "key", byte_count(key, "key"), sizes.key)
    if value is not None:
        room = sizes.value_with(number(flags, "flags", _U64, what))
        check_room(what, "value", byte_count(value, "value"), room)
    return sizes


def map_lookup(
    fd: int,
    key: Buffer | None,
    value: bytearray | memoryview,
    flags: int = 0,
    *,
    what: str = "",
    sizes: CopySizes | None = None,
) -> bool:
    """Read an element into ``value``: ``BPF_MAP_LOOKUP_ELEM``, Linux 3.18.

    Returns False when there is none. ``value`` has the map's value size; for the
    per-CPU types that size rounded up to 8, times the number of possible CPUs, unless
    ``flags`` has ``BPF_F_CPU`` and in its upper 32 bits a CPU (Linux 7.0). Maps without
    keys (queue, stack, bloom filter) take ``None``. ValueError when the kernel would
    copy more than the key or value has; it is asked, unless ``sizes`` says.
    """
    what = named_map(fd, what)
    _check_element(fd, key, value, what, sizes, flags)
    memory = Memory()
    result = _element(
        Command.MAP_LOOKUP_ELEM,
        fd,
        key,
        memory.write(value, "value", what),
        flags,
        memory,
        what,
    )
    if result[1] == errno.ENOENT:
        return False
    check(Command.MAP_LOOKUP_ELEM, result, what)
    return True


def map_update(
    fd: int,
    key: Buffer | None,
    value: Buffer,
    flags: int = 0,
    *,
    what: str = "",
    sizes: CopySizes | None = None,
) -> None:
    """Write an element: ``BPF_MAP_UPDATE_ELEM``, Linux 3.18.

    ``flags``: ``BPF_ANY``, ``BPF_NOEXIST`` or ``BPF_EXIST``, and ``BPF_F_LOCK``; or for
    the per-CPU types ``BPF_F_CPU`` with a CPU in the upper 32 bits, or
    ``BPF_F_ALL_CPUS`` (Linux 7.0), and then ``value`` has the map's value size.
    """
    what = named_map(fd, what)
    sizes = _check_element(fd, key, value, what, sizes, flags)
    if byte_count(value, "value") < sizes.value:
        # a kernel that does not know these flags copies all before it says so
        value = bytes(value).ljust(sizes.value, b"\0")
    memory = Memory()
    command = Command.MAP_UPDATE_ELEM
    result = _element(
        command, fd, key, memory.read(value, "value", what), flags, memory, what
    )
    check(command, result, what)


def map_delete(
    fd: int,
    key: Buffer,
    flags: int = 0,
    *,
    what: str = "",
    sizes: CopySizes | None = None,
) -> bool:
    """Delete an element; False when there is none: ``BPF_MAP_DELETE_ELEM``, 3.18."""
    what = named_map(fd, what)
    _check_element(fd, key, None, what, sizes)
    memory = Memory()
    result = _element(Command.MAP_DELETE_ELEM, fd, key, 0, flags, memory, what)
    if result[1] == errno.ENOENT:
        return False
    check(Command.MAP_DELETE_ELEM, result, what)
    return True


def map_next_key(
    fd: int, key: Buffer | None, out: bytearray | memoryview, *, what: str = ""
) -> bool:
    """Write the key after ``key`` to ``out``: ``BPF_MAP_GET_NEXT_KEY``, Linux 3.18.

    False at the end. ``None`` asks for the first (Linux 4.12); a key that is not in
    the map does so too.
    """
    what = named_map(fd, what)
    sizes = _check_element(fd, key, None, what)
    check_room(what, "the next key", byte_count(out, "out"), sizes.key)
    memory = Memory()
    command = Command.MAP_GET_NEXT_KEY
    result = _element(command, fd, key, memory.write(out, "out", what), 0, memory, what)
    if result[1] == errno.ENOENT:
        return False
    check(command, result, what)
    return True


def map_lookup_and_delete(
    fd: int,
    key: Buffer | None,
    value: bytearray | memoryview,
    flags: int = 0,
    *,
    what: str = "",
) -> bool:
    """Take an element out: ``BPF_MAP_LOOKUP_AND_DELETE_ELEM``.

    False when there is none. Queues and stacks since Linux 4.20 (key ``None``), hash
    maps since 5.14.
    """
    what = named_map(fd, what)
    _check_element(fd, key, value, what)
    memory = Memory()
    command = Command.MAP_LOOKUP_AND_DELETE_ELEM
    result = _element(
        command, fd, key, memory.write(value, "value", what), flags, memory, what
    )
    if result[1] == errno.ENOENT:
        return False
    check(command, result, what)
    return True


def map_freeze(fd: int, *, what: str = "") -> None:
    """Make a map read-only for system calls: ``BPF_MAP_FREEZE``, Linux 5.2."""
    command = Command.MAP_FREEZE
    attr = bytearray(_ELEMENT.pack(what, fd, 0, 0, 0))
    check(command, bpf(command, attr), named_map(fd, what))


# -- batches -------------------------------------------------------------------
