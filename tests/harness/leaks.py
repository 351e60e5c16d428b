"""Whether this process leaves anything behind: fds, mappings, objects in the kernel."""

import array
import gc
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skelgen.runtime import syscalls
from skelgen.runtime.syscalls import call, numbers
from tests.harness.commands import Command

if TYPE_CHECKING:
    from collections.abc import Callable

# as they are when no test makes them fail
_open, _read = os.open, os.read

# The kernel frees programs, maps and links after a grace period, in a worker, which has
# to wait on a busy machine.
PATIENCE_SECONDS = 20.0


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


class Seen:
    """Ids of the programs, maps and links that this process made, and only of those.

    Other processes load and unload all the time: systemd, a monitoring agent, another
    run of these tests. So every new fd is asked for its id when it comes out of the
    kernel, below ``syscalls.call.raw``, which tests replace.
    """

    def __init__(self) -> None:
        # of one size: tests measure whether the memory of this process grows
        self._made = array.array("Q", bytes(8 * _MOST))
        self._count = 0

    def watch(self) -> None:
        """See every object that the runtime makes in this process from now on."""
        real: Any = call._making

        def making(nr: int, command: int, *rest: int) -> Any:
            made = real(nr, command, *rest)
            if nr == numbers.NR_BPF and command in _MAKES and made.value >= 0:
                self._add(_MAKES[Command(command)], made.value)
            return made

        call._making = making  # type: ignore[misc, assignment] # below what tests replace

    def _add(self, kind: str, fd: int) -> None:
        if self._count == _MOST:
            self._forget()
        self._made[self._count] = KINDS.index(kind) << 32 | _id_of(kind, fd)
        self._count += 1

    def _forget(self) -> None:
        """Drop what is gone: the kernel gives no id twice."""
        alive = [made for made in self._made[: self._count] if exists(*_named(made))]
        self._made[: len(alive)] = array.array("Q", alive)
        self._count = len(alive)

    def ids(self, kind: str) -> set[int]:
        """Return the ids of one kind that are in the kernel still."""
        self._forget()
        made = map(_named, self._made[: self._count])
        return {number for of_kind, number in made if of_kind == kind}

    def objects(self) -> Counter[str]:
        """Return what is in the kernel still, by kind and id."""
        return Counter(f"{kind} id {id_}" for kind in KINDS for id_ in self.ids(kind))


KINDS = ("prog", "map", "link")
_MOST = 1 << 16
_MAKES = {
    Command.MAP_CREATE: "map",
    Command.PROG_LOAD: "prog",
    Command.LINK_CREATE: "link",
    Command.RAW_TRACEPOINT_OPEN: "link",
}

SEEN = Seen()


def _named(made: int) -> tuple[str, int]:
    return KINDS[made >> 32], made & 0xFFFFFFFF


def _id_of(kind: str, fd: int) -> int:
    """Return the id that the kernel shows of an fd; leaves no object of Python behind."""
    info = _open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY)
    try:
        text = _read(info, 4096)
    finally:
        os.close(info)
    return int(text.partition(b"%s_id:" % kind.encode())[2].split(maxsplit=1)[0])


def exists(kind: str, number: int) -> bool:
    """Whether the kernel has an object of this id.

    Takes no fd of it: a program array that is got by its id and let go again while the
    kernel clears it is never freed (seen on Linux 6.18, 18 of 200 times).
    """
    return syscalls.get_next_id(kind, number - 1) == number


class LeakCheck:
    """Compares before and after; ``check`` waits for what the kernel frees late."""

    def __init__(self) -> None:
        gc.collect()
        self._watched: list[tuple[str, Callable[[], Counter[str]], Any]] = [
            (what, look, look())
            for what, look in (
                ("open fds", open_fds),
                ("mappings", bpf_mappings),
                ("kernel objects", SEEN.objects),
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
