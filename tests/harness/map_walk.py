"""Everything that Python can do to a map, on a map of every type of the kernel's.

Run as a process of its own under ``PYTHONMALLOC=debug``, which looks behind the end of
each buffer when it is freed: ``python -m tests.harness.map_walk [CGROUP]``. Prints what
became of each type, as JSON.
"""

import gc
import json
import mmap
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path

from skelgen.btf.types import Kind
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.flags import BPF_F_ALL_CPUS, BPF_F_CPU
from skelgen.model.spec import MapSpec
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.maps.families import family
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.syscalls import sizes
from tests.harness.programs import insn

EXPECTED = (BpfError, TypeError, ValueError, OverflowError, KeyError, IndexError)
"""All that a call may raise."""

NO_PREALLOC = 1
MMAPABLE = 1 << 10

INT_BTF = bytes.fromhex(
    "9feb01001800000000000000100000001000000005000000"
    "0100000000000001040000002000000100696e7400"
)

# key, value, entries, flags; values of 12 bytes, of which a CPU's takes 16
SHAPES = {
    MapType.HASH: (4, 12, 8, 0),
    MapType.ARRAY: (4, 12, 8, 0),
    MapType.PROG_ARRAY: (4, 4, 8, 0),
    MapType.PERF_EVENT_ARRAY: (4, 4, 8, 0),
    MapType.PERCPU_HASH: (4, 12, 8, 0),
    MapType.PERCPU_ARRAY: (4, 12, 8, 0),
    MapType.STACK_TRACE: (4, 80, 8, 0),
    MapType.CGROUP_ARRAY: (4, 4, 8, 0),
    MapType.LRU_HASH: (4, 12, 8, 0),
    MapType.LRU_PERCPU_HASH: (4, 12, 8, 0),
    MapType.LPM_TRIE: (8, 12, 8, NO_PREALLOC),
    MapType.ARRAY_OF_MAPS: (4, 4, 8, 0),
    MapType.HASH_OF_MAPS: (4, 4, 8, 0),
    MapType.DEVMAP: (4, 8, 8, 0),
    MapType.SOCKMAP: (4, 8, 8, 0),
    MapType.CPUMAP: (4, 8, 1, 0),
    MapType.XSKMAP: (4, 4, 8, 0),
    MapType.SOCKHASH: (12, 8, 8, 0),
    MapType.CGROUP_STORAGE: (16, 12, 0, 0),
    MapType.REUSEPORT_SOCKARRAY: (4, 8, 8, 0),
    MapType.PERCPU_CGROUP_STORAGE: (8, 12, 0, 0),
    MapType.QUEUE: (0, 12, 8, 0),
    MapType.STACK: (0, 12, 8, 0),
    MapType.SK_STORAGE: (4, 4, 0, NO_PREALLOC),
    MapType.DEVMAP_HASH: (4, 8, 8, 0),
    MapType.STRUCT_OPS: (4, 0, 1, 0),
    MapType.RINGBUF: (0, 0, mmap.PAGESIZE, 0),
    MapType.INODE_STORAGE: (4, 4, 0, NO_PREALLOC),
    MapType.TASK_STORAGE: (4, 4, 0, NO_PREALLOC),
    MapType.BLOOM_FILTER: (0, 12, 8, 0),
    MapType.USER_RINGBUF: (0, 0, mmap.PAGESIZE, 0),
    MapType.CGRP_STORAGE: (4, 4, 0, NO_PREALLOC),
    MapType.ARENA: (0, 0, 2, MMAPABLE),
    MapType.INSN_ARRAY: (4, 16, 8, 0),
    MapType.RHASH: (4, 12, 8, NO_PREALLOC),
}
_OF_MAPS = {MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS}
_STORAGE = {
    MapType.SK_STORAGE,
    MapType.INODE_STORAGE,
    MapType.TASK_STORAGE,
    MapType.CGRP_STORAGE,
}
_CGROUP_STORAGE = {MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE}


def make(type_: MapType, undo: ExitStack) -> MapHandle:
    """Return a map of a type, as load leaves it."""
    key, value, entries, flags = SHAPES[type_]
    options: dict[str, int] = {}
    if type_ in _OF_MAPS:
        inner = syscalls.Fd(
            syscalls.map_create(
                type=MapType.ARRAY, key_size=4, value_size=12, max_entries=4
            )
        )
        undo.callback(inner.close)
        options["inner_map_fd"] = inner.fileno()
    if type_ in _STORAGE or type_ is MapType.STRUCT_OPS:
        btf = syscalls.Fd(syscalls.btf_load(INT_BTF))
        undo.callback(btf.close)
        options["btf_fd"] = btf.fileno()
    if type_ in _STORAGE:
        options.update(btf_key_type_id=1, btf_value_type_id=1)
    if type_ is MapType.STRUCT_OPS:
        kernel = kernel_btf.vmlinux()
        found = kernel.find("bpf_struct_ops_tcp_congestion_ops", Kind.STRUCT)
        assert found is not None
        options["btf_vmlinux_value_type_id"] = found
        value = getattr(kernel.type(found), "size", 0)
    fd = syscalls.map_create(
        type=type_,
        key_size=key,
        value_size=value,
        max_entries=entries,
        flags=flags,
        name="walk",
        **options,
    )
    handle = MapHandle(MapSpec("walk", type_, key, value, entries, flags))
    handle.adopt(fd)
    return handle


def interesting_keys(handle: MapHandle, cgroup: str | None) -> Iterator[bytes]:
    """Yield keys of elements, there or not."""
    size = handle.key_size
    for number in (0, 1, 7, 2**32 - 1):
        yield number.to_bytes(4, sys.byteorder).ljust(size, b"\0")[:size]
    if size == 8:
        yield (32).to_bytes(4, sys.byteorder) + b"\x0a\0\0\1"  # of an LPM trie
    if cgroup is not None and handle.type in _CGROUP_STORAGE:
        inode = Path(cgroup).stat().st_ino.to_bytes(8, sys.byteorder)
        yield inode.ljust(size, b"\0")


@contextmanager
def things(handle: MapHandle, cgroup: str | None) -> Iterator[list[int]]:
    """Yield fds that some type takes for a key or a value."""
    with ExitStack() as undo:
        fds = [
            undo.enter_context(socket.socket(socket.AF_INET, kind)).fileno()
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        ]
        fds.append(undo.enter_context(tempfile.TemporaryFile()).fileno())
        fds.append(os.pidfd_open(os.getpid()))
        undo.callback(os.close, fds[-1])
        if cgroup is not None:
            fds.append(os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY))
            undo.callback(os.close, fds[-1])
        inner = MapHandle(MapSpec("in", MapType.ARRAY, 4, 12, 4))
        inner.adopt(
            syscalls.map_create(
                type=MapType.ARRAY, key_size=4, value_size=12, max_entries=4
            )
        )
        undo.callback(inner.close)
        fds.append(inner.fd())
        yield fds


class Walk:
    """Calls, and what came of them."""

    def __init__(self) -> None:
        self.calls = self.worked = 0
        self.unexpected: list[str] = []

    def __call__(
        self, action: Callable[..., object] | None, *args: object, **options: object
    ) -> None:
        """Call it; None is what a map has not got."""
        if action is None:
            return
        self.calls += 1
        try:
            action(*args, **options)
        except EXPECTED:
            pass
        except Exception as error:  # noqa: BLE001 - that is what it looks for
            self.unexpected.append(f"{type(error).__name__}: {error}")
        else:
            self.worked += 1


def use_raw(walk: Walk, fd: int, keys: list[bytes]) -> None:
    """Use the low-level functions, with buffers that fit and that are a byte short."""
    there = sizes.copy_sizes(fd)
    for short in (0, 1):
        for key in (*keys, None):
            use_element(walk, fd, there, key, short)
        for count in (1, 3):
            use_batch(walk, fd, there, b"".join(keys[:count]) + bytes(16), count, short)


def use_element(
    walk: Walk, fd: int, there: sizes.CopySizes, key: bytes | None, short: int
) -> None:
    """Use the functions for one element."""
    key = key[:-1] if key and short else key

    def value() -> bytearray:
        return bytearray(max(0, there.value - short))

    one = bytearray(max(0, there.one_cpu - short))
    for flags in (BPF_F_CPU, BPF_F_CPU | 1 << 32, BPF_F_CPU | 99 << 32, BPF_F_ALL_CPUS):
        walk(syscalls.map_update, fd, key, one, flags)
        walk(syscalls.map_lookup, fd, key, one, flags)
        walk(syscalls.map_lookup_and_delete, fd, key, one, flags)
    for flags in (syscalls.BPF_ANY, syscalls.BPF_EXIST, syscalls.BPF_F_LOCK):
        walk(syscalls.map_update, fd, key, value(), flags)
        walk(syscalls.map_lookup, fd, key, value(), flags)
    walk(syscalls.map_next_key, fd, key, bytearray(max(0, there.key - short)))
    walk(syscalls.map_lookup_and_delete, fd, key, value())
    walk(syscalls.map_update, fd, key, value())
    walk(syscalls.map_delete, fd, key or b"")
    walk(syscalls.map_update, fd, key, value())


def use_batch(
    walk: Walk, fd: int, there: sizes.CopySizes, keys: bytes, count: int, short: int
) -> None:
    """Use the functions for many elements."""

    def room(size: int) -> bytearray:
        return bytearray(max(0, count * size - short))

    position = bytearray(there.position - short)
    walk(syscalls.map_update_batch, fd, keys, room(there.value), count)
    for delete in (False, True):
        for start in (None, position):
            out = room(there.key), room(there.value)
            walk(
                syscalls.map_lookup_batch,
                *(fd, start, position, *out, count),
                delete=delete,
            )
    one = room(there.one_cpu)
    for flags in (BPF_F_CPU, BPF_F_CPU | 1 << 32, BPF_F_ALL_CPUS):
        walk(syscalls.map_update_batch, fd, keys, one, count, elem_flags=flags)
        for delete in (False, True):
            walk(
                syscalls.map_lookup_batch,
                *(fd, None, position, room(there.key), one, count),
                delete=delete,
                elem_flags=flags,
            )
    walk(syscalls.map_delete_batch, fd, keys, count)
    walk(syscalls.map_delete_batch, fd, keys[: count * there.key - short], count)


READS = ("lookup", "get", "delete", "discard", "lookup_and_delete", "pop")
WRITES = ("update", "put", "__setitem__")
WHOLE = ("peek", "pop", "consume", "popitem", "clear", "each_key", "keys", "values")
WHOLE_TOO = ("items", "each_value", "each_item", "__iter__", "__len__")


def use_family(
    walk: Walk, handle: MapHandle, keys: list[bytes], fds: list[int]
) -> None:
    """Use what the runtime makes of the map, with keys, values and fds of every kind."""
    made = family(handle)
    one = bytes(handle.value_size)
    copied = bytes(sizes.copy_sizes(handle.fd()).value)
    values = [one, [one] * sizes.possible_cpus(), copied, *fds]
    own = [key for fd in fds for key in (fd, fd.to_bytes(4, sys.byteorder))]
    for key in (*keys, 0, 1, 100, *own):
        for value in values:
            for name in WRITES:
                walk(getattr(made, name, None), key, value)
            walk(getattr(made, "update", None), {key: value, keys[0]: value})
        for name in (*READS, "__getitem__", "__contains__"):
            walk(getattr(made, name, None), key)
        for value in values[:2]:
            walk(getattr(made, "update", None), key, value)
            walk(getattr(made, "__setitem__", None), key, value)
        for cpu in (0, 1, 99):
            walk(getattr(made, "put_cpu", None), key, cpu, one)
            walk(getattr(made, "lookup_cpu", None), key, cpu)
        walk(getattr(made, "put_all_cpus", None), key, one)
    for value in values:
        walk(getattr(made, "push", None), value)
        walk(getattr(made, "push", None), value, flags=syscalls.BPF_EXIST)
    for name in (*WHOLE, *WHOLE_TOO):
        walk(drained(getattr(made, name, None)))


def drained(method: Callable[[], object] | None) -> Callable[[], object] | None:
    """Return a call that also iterates over what it gets."""

    def drain() -> None:
        assert method is not None
        result = method()
        if isinstance(result, Iterable):
            list(islice(result, 1000))

    return None if method is None else drain


def attach(undo: ExitStack, handle: MapHandle, cgroup: str) -> None:
    """Have a program of a cgroup use the map, which gives it a storage there."""
    body = (
        insn(0x18, 1, 1, 0, handle.fd())  # r1 = the map
        + insn(0x00)
        + insn(0xB7, 2)
        + insn(0x85, imm=81)  # bpf_get_local_storage()
        + insn(0xB7, 0, imm=1)
        + insn(0x95)
    )
    hook = AttachType.CGROUP_INET_EGRESS
    program = syscalls.Fd(
        syscalls.prog_load(
            type=ProgType.CGROUP_SKB, insns=body, license="GPL", attach_type=hook
        )
    )
    undo.callback(program.close)
    place = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
    undo.callback(os.close, place)
    link = syscalls.link_create(program.fileno(), place, hook)
    undo.callback(syscalls.close, link)


def walk_type(type_: MapType, cgroup: str | None) -> dict[str, object]:
    """Use a map of a type; return what came of it."""
    walk = Walk()
    with ExitStack() as undo:
        try:
            handle = make(type_, undo)
        except BpfOSError as error:
            return {"refused": str(error)}
        undo.callback(handle.close)
        if type_ in _CGROUP_STORAGE and cgroup is not None:
            attach(undo, handle, cgroup)
        keys = list(interesting_keys(handle, cgroup))
        with things(handle, cgroup) as fds:
            keys += [fd.to_bytes(4, sys.byteorder) for fd in fds if type_ in _STORAGE]
            use_family(walk, handle, keys, fds)
            use_raw(walk, handle.fd(), keys)
    gc.collect()
    return {
        "calls": walk.calls,
        "worked": walk.worked,
        "unexpected": sorted(set(walk.unexpected)),
    }


def main() -> None:
    """Walk all types."""
    cgroup = sys.argv[1] if len(sys.argv) > 1 else None
    told = {}
    for type_, name in sorted({int(t): t.name for t in SHAPES}.items()):
        sys.stderr.write(f"{name}\n")  # where a signal ends it
        told[name] = walk_type(MapType(type_), cgroup)
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
