"""Whether a test leaves anything behind: fds, mappings, objects in the kernel."""

import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from skelgen.runtime import syscalls

KINDS = ("prog", "map", "link")

# The kernel frees programs, maps and links after a grace period, in a worker.
PATIENCE_SECONDS = 5.0


def open_fds() -> Counter[str]:
    """Return what the open fds lead to; kernel objects alone, so not by number."""
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (names are all we want)
        try:
            found[os.readlink(f"/proc/self/fd/{name}")] += 1  # noqa: PTH115
        except FileNotFoundError:
            continue  # the fd of the listing itself
    return found


def bpf_mappings() -> Counter[str]:
    """Return the mappings of BPF maps, perf events and the like."""
    found: Counter[str] = Counter()
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        path = line[73:]
        if path.startswith("anon_inode:"):
            found[path] += 1
    return found


def ids(kind: str) -> Iterator[int]:
    """Yield the kernel ids of every program, map or link there is."""
    current = syscalls.get_next_id(kind, 0)
    while current is not None:
        yield current
        current = syscalls.get_next_id(kind, current)


def kernel_objects() -> Counter[str]:
    """Return every program, map and link in the kernel, by kind and id."""
    return Counter(f"{kind} id {number}" for kind in KINDS for number in ids(kind))


class LeakCheck:
    """Compares before and after; ``check`` waits for what the kernel frees late."""

    def __init__(self) -> None:
        gc.collect()
        self._watched: list[tuple[str, Callable[[], Counter[str]], Any]] = [
            (what, look, look())
            for what, look in (
                ("open fds", open_fds),
                ("mappings", bpf_mappings),
                ("kernel objects", kernel_objects),
            )
        ]

    def left(self) -> dict[str, list[str]]:
        """Return what is there now and was not before."""
        found = {
            what: sorted((look() - before).elements())
            for what, look, before in self._watched
        }
        return {what: names for what, names in found.items() if names}

    def check(self) -> dict[str, list[str]]:
        """Return what stays, after the time that the kernel may take."""
        gc.collect()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left
