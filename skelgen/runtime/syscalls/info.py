"""``BPF_OBJ_GET_INFO_BY_FD``, Linux 4.13: what the kernel tells about its objects.

Layouts: ``struct bpf_prog_info``, ``bpf_map_info``, ``bpf_btf_info``, ``linux/bpf.h``.
A kernel that does not know a field leaves it zero.
"""

from __future__ import annotations

import errno
import struct

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import ROOM, number, readable
from skelgen.model.enums import Command, MapType, ProgType
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.syscalls.buffers import Memory
from skelgen.runtime.syscalls.call import bpf, check
from skelgen.runtime.syscalls.layout import Layout

if TYPE_CHECKING:
    from typing import Final

_INFO: Final = Layout("=IIQ", "fd size info")
_PROG: Final = struct.Struct("=II8sIIQQQIIQ16sIIQQIIQQIIQIIQQIIIIQQQQIIIxxxx")
_MAP: Final = struct.Struct("=IIIIII16sIIQQIIIIQ")
_BTF: Final = struct.Struct("=QIIQII")


def obj_get_info(
    fd: int, size: int, *, preset: bytes | bytearray = b"", what: str = ""
) -> bytes:
    """Return up to ``size`` bytes of what the kernel tells about an fd.

    ``preset`` is what the structure holds before: addresses and sizes of buffers.
    """
    memory = Memory()
    info = bytearray(number(size, "size", ROOM, what))
    readable(preset, "preset", what)
    info[: len(preset)] = preset
    attr = bytearray(_INFO.pack(what, fd, size, memory.write(info)))
    command = Command.OBJ_GET_INFO_BY_FD
    check(command, bpf(command, attr), what or f"fd {fd}")
    return bytes(info)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")


class ProgInfo(Record):
    """``struct bpf_prog_info``: a loaded program."""

    id: int
    name: str
    """The kernel's copy: 15 bytes at most."""
    type: ProgType | int
    """An ``int`` for a type newer than this skelgen."""
    tag: str
    """Digest of the instructions, 16 hexadecimal digits."""
    xlated_size: int
    """Bytes of instructions after the verifier's rewriting."""
    insn_count: int
    """The same in instructions of 8 bytes."""
    jited_size: int
    """Bytes of machine code; 0 when interpreted."""
    load_time_ns: int
    """When it was loaded, in nanoseconds since boot."""
    uid: int
    """User that loaded it."""
    map_ids: tuple[int, ...]
    """Kernel ids of the maps it uses."""
    ifindex: int
    """Interface it was offloaded to, 0 for none."""
    gpl_compatible: bool
    btf_id: int
    """Kernel id of its BTF, 0 for none."""
    run_time_ns: int
    """Nanoseconds in the program while statistics were enabled (Linux 5.1)."""
    run_count: int
    """Runs while statistics were enabled (Linux 5.1)."""
    recursion_misses: int
    """Runs left out because the program was running already (Linux 5.12)."""
    verified_insns: int
    """Instructions that the verifier looked at (Linux 5.16)."""
    attach_btf_obj_id: int
    """Kernel id of the BTF with the target (Linux 5.18)."""
    attach_btf_id: int
    """BTF id of the target (Linux 5.18)."""


def prog_info(fd: int, *, what: str = "") -> ProgInfo:
    """Return what the kernel tells about a program, Linux 4.13."""
    fields = _PROG.unpack(obj_get_info(fd, _PROG.size, what=what))
    map_count = fields[9]
    map_ids: tuple[int, ...] = ()
    if map_count:
        memory = Memory()
        ids = bytearray(4 * map_count)
        preset = bytearray(_PROG.size)
        struct.pack_into("=I", preset, _NR_MAP_IDS, map_count)
        struct.pack_into("=Q", preset, _MAP_IDS, memory.write(ids))
        again = _PROG.unpack(obj_get_info(fd, _PROG.size, preset=preset, what=what))
        map_ids = struct.unpack_from(f"={min(map_count, again[9])}I", ids)
    return ProgInfo(
        id=fields[1],
        name=_text(fields[11]),
        type=_prog_type(fields[0]),
        tag=fields[2].hex(),
        xlated_size=fields[4],
        insn_count=fields[4] // 8,
        jited_size=fields[3],
        load_time_ns=fields[7],
        uid=fields[8],
        map_ids=map_ids,
        ifindex=fields[12],
        gpl_compatible=bool(fields[13] & 1),
        btf_id=fields[20],
        run_time_ns=fields[32],
        run_count=fields[33],
        recursion_misses=fields[34],
        verified_insns=fields[35],
        attach_btf_obj_id=fields[36],
        attach_btf_id=fields[37],
    )


_XLATED_SIZE: Final = 20  # offsets in struct bpf_prog_info
_XLATED_INSNS: Final = 32
_NR_MAP_IDS: Final = 52
_MAP_IDS: Final = 56


def prog_insns(fd: int, *, what: str = "") -> bytes:
    """Return a program's instructions as the verifier left them, 8 bytes each.

    Linux 4.13. Empty without ``CAP_SYS_ADMIN`` (or ``CAP_PERFMON`` and ``CAP_BPF``).
    """
    size = prog_info(fd, what=what).xlated_size
    memory = Memory()
    insns = bytearray(size)
    preset = bytearray(_PROG.size)
    struct.pack_into("=I", preset, _XLATED_SIZE, size)
    struct.pack_into("=Q", preset, _XLATED_INSNS, memory.write(insns))
    obj_get_info(fd, _PROG.size, preset=preset, what=what)
    return bytes(insns)


def _prog_type(number: int) -> ProgType | int:
    try:
        return ProgType(number)
    except ValueError:
        return number


class MapInfo(Record):
    """``struct bpf_map_info``: a map in the kernel."""

    id: int
    name: str
    """The kernel's copy: 15 bytes at most."""
    type: MapType | int
    """An ``int`` for a type newer than this skelgen."""
    key_size: int
    """Bytes."""
    value_size: int
    """Bytes, of one CPU for the per-CPU types."""
    max_entries: int
    flags: int
    """``BPF_F_*``."""
    ifindex: int
    btf_id: int
    """Kernel id of the BTF with the next two, 0 for none (Linux 4.18)."""
    btf_key_type_id: int
    btf_value_type_id: int
    btf_vmlinux_value_type_id: int
    """Kernel type of a struct_ops map (Linux 5.6)."""
    map_extra: int
    """Linux 5.16."""


def map_info(fd: int, *, what: str = "") -> MapInfo:
    """Return what the kernel tells about a map, Linux 4.13."""
    fields = _MAP.unpack(obj_get_info(fd, _MAP.size, what=what))
    return MapInfo(
        id=fields[1],
        name=_text(fields[6]),
        type=_map_type(fields[0]),
        key_size=fields[2],
        value_size=fields[3],
        max_entries=fields[4],
        flags=fields[5],
        ifindex=fields[7],
        btf_id=fields[11],
        btf_key_type_id=fields[12],
        btf_value_type_id=fields[13],
        btf_vmlinux_value_type_id=fields[8],
        map_extra=fields[15],
    )


def _map_type(number: int) -> MapType | int:
    try:
        return MapType(number)
    except ValueError:
        return number


class BtfInfo(Record):
    """``struct bpf_btf_info``: BTF in the kernel."""

    id: int
    name: str
    """``vmlinux`` or a module for the kernel's own, else empty (Linux 5.11)."""
    size: int
    """Bytes."""
    kernel: bool
    """Whether it describes the kernel or a module (Linux 5.11)."""


def btf_info(fd: int, *, what: str = "") -> BtfInfo:
    """Return what the kernel tells about BTF, Linux 4.18."""
    memory = Memory()
    name = bytearray(128)
    preset = _BTF.pack(0, 0, 0, memory.write(name), len(name), 0)
    try:
        info = obj_get_info(fd, _BTF.size, preset=preset, what=what)
    except BpfOSError as error:
        if error.errno != errno.E2BIG:
            raise
        # before 5.11 BTF has no name, and room for one is refused
        info = obj_get_info(fd, _BTF.size, what=what)
    fields = _BTF.unpack(info)
    return BtfInfo(fields[2], _text(bytes(name)), fields[1], bool(fields[5]))


def btf_data(fd: int, *, what: str = "") -> bytes:
    """Return the raw BTF behind an fd, Linux 4.18."""
    size = _BTF.unpack(obj_get_info(fd, _BTF.size, what=what))[1]
    memory = Memory()
    data = bytearray(size)
    preset = _BTF.pack(memory.write(data), size, 0, 0, 0, 0)
    obj_get_info(fd, _BTF.size, preset=preset, what=what)
    return bytes(data)
