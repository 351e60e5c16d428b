"""Maps, globals and ring-buffer records: the typed API against hand-written ctypes."""

import ctypes
import mmap
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from table import row, title

from skelgen.compiler import clang

CALLS = 100_000
RECORDS = 100_000
ROUNDS = 7
_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Print the table; root only."""
    if os.geteuid() != 0:
        print("\nMaps, globals, ring buffer: left out, they need root")
        return
    with tempfile.TemporaryDirectory() as folder:
        skeleton = _build(folder)
        with skeleton.open_and_load() as skel:
            title("Maps, globals and records, in process")
            _maps(skel)
            _globals(skel)
            _ring(skel)


def _build(folder: str) -> Any:  # noqa: ANN401  # the class exists only at run time
    path = Path(folder, "data.bpf.o")
    clang.compile_object(Path(__file__).with_name("data.bpf.c"), path)
    words = [str(Path(sys.executable).with_name("skelgen")), "--quiet", str(path)]
    subprocess.run([*words, "--record", "events=event"], check=True)
    sys.path.insert(0, folder)
    import data_skel

    return data_skel.Data


class _Attr(ctypes.Structure):
    """``union bpf_attr`` of the element commands."""

    _fields_ = [
        ("map_fd", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("key", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    ]


def _maps(skel: Any) -> None:  # noqa: ANN401
    counts = skel.maps.counts
    counts[7] = 1
    key, value = ctypes.c_uint32(7), ctypes.c_uint64(5)
    attr = _Attr(counts.fd(), 0, ctypes.addressof(key), ctypes.addressof(value), 0)
    where, size, number = (
        ctypes.byref(attr),
        ctypes.sizeof(attr),
        _BPF[platform.machine()],
    )
    syscall = _LIBC.syscall

    def raw_get() -> None:
        for _ in range(CALLS):
            key.value = 7
            syscall(number, 1, where, size)
            _ = value.value

    def typed_get() -> None:
        for _ in range(CALLS):
            _ = counts[7]

    def raw_set() -> None:
        for _ in range(CALLS):
            key.value = 7
            value.value = 5
            syscall(number, 2, where, size)

    def typed_set() -> None:
        for _ in range(CALLS):
            counts[7] = 5

    _compare("map get", typed_get, raw_get, "<= 1.3x")
    _compare("map set", typed_set, raw_set, "<= 1.3x")


def _globals(skel: Any) -> None:  # noqa: ANN401
    bss = skel.bss
    memory = mmap.mmap(-1, 4096)
    view = memoryview(memory).cast("Q")

    def raw_get() -> None:
        for _ in range(CALLS):
            _ = view[0]

    def typed_get() -> None:
        for _ in range(CALLS):
            _ = bss.total

    def raw_set() -> None:
        for _ in range(CALLS):
            view[0] = 5

    def typed_set() -> None:
        for _ in range(CALLS):
            bss.total = 5

    _compare("global get (against a cast memoryview)", typed_get, raw_get, "< 0.5 us")
    _compare("global set (against a cast memoryview)", typed_set, raw_set, "< 0.5 us")
    view.release()
    memory.close()


def _compare(
    what: str, ours: Callable[[], None], theirs: Callable[[], None], aim: str
) -> None:
    best = [float("inf")] * 2
    for _ in range(ROUNDS):
        for index, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            call()
            best[index] = min(best[index], time.perf_counter() - start)
    scale = 1e6 / CALLS
    row(what, best[0] * scale, best[1] * scale, "us", aim)


class _Event(ctypes.Structure):
    _fields_ = [
        ("pid", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("nanoseconds", ctypes.c_uint64),
        ("comm", ctypes.c_char * 16),
    ]


def _ring(skel: Any) -> None:  # noqa: ANN401
    ring = skel.maps.events
    skel.data.wanted = RECORDS
    ours = theirs = float("inf")
    for _ in range(ROUNDS):
        skel.progs.fill.test_run(data=bytes(64))
        start = time.perf_counter()
        seen = sum(1 for _ in ring.consume())
        ours = min(ours, time.perf_counter() - start)
        if seen != RECORDS:
            sys.exit(f"the ring buffer gave {seen} records of {RECORDS}")
        skel.progs.fill.test_run(data=bytes(64))
        theirs = min(theirs, _raw_ring(ring.fd(), 16 * 1024 * 1024))
    scale = 1e-6 * RECORDS
    row("ring-buffer records a second", scale / ours, scale / theirs, "M/s", ">= 2 M/s")


def _raw_ring(fd: int, size: int) -> float:
    """Consume what a ring buffer holds with plain ctypes, and return the seconds."""
    page = mmap.PAGESIZE
    consumer = mmap.mmap(fd, page)
    data = mmap.mmap(fd, page + 2 * size, prot=mmap.PROT_READ, offset=page)
    start = time.perf_counter()
    position = int.from_bytes(consumer[:8], sys.byteorder)
    end = int.from_bytes(data[:8], sys.byteorder)
    seen = 0
    while position < end:
        offset = page + position % size
        length = int.from_bytes(data[offset : offset + 4], sys.byteorder)
        _Event.from_buffer_copy(data, offset + 8)
        position += (length + 8 + 7) // 8 * 8
        seen += 1
    consumer[:8] = position.to_bytes(8, sys.byteorder)
    seconds = time.perf_counter() - start
    consumer.close()
    data.close()
    if seen != RECORDS:
        sys.exit(f"raw ctypes saw {seen} records of {RECORDS}")
    return seconds
