"""Another user of BPF on the same machine: loads, attaches and unloads without end.

``python -m tests.harness.busy [SECONDS]``, as root, beside the tests. They have to pass:
they look at what their own process made. Prints how much it did when it ends.
"""

import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import skelgen
from skelgen.runtime import Object
from skelgen.runtime.errors import BpfError
from tests.harness import sources
from tests.harness.places import BpfFileSystem, Cgroup, NetworkNamespace, cgroup2_mount

FIXTURES = (
    *("maps_plain", "prog_tracepoint", "prog_cgroup", "ringbuf", "prog_xdp"),
    *("prog_tc", "prog_iter", "globals_live", "maps_nested", "prog_raw_tracepoint"),
)


class Busy:
    """Objects of several kinds, one after another and two at a time."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.stopped = False

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Let the object at hand be the last."""
        self.stopped = True

    def run(self, seconds: float) -> None:
        """Load and unload until the time is over or a signal says so."""
        paths = [sources.compiled(sources.find(name), "little") for name in FIXTURES]
        netns, bpffs = NetworkNamespace(), BpfFileSystem()
        mount = cgroup2_mount()
        cgroup = Cgroup(mount) if mount is not None else None
        end = time.monotonic() + seconds
        try:
            while not self.stopped and time.monotonic() < end:
                for path in paths:
                    self._live(path, netns, bpffs, cgroup)
        finally:
            if cgroup is not None:
                cgroup.close()
            bpffs.close()
            netns.close()

    def _live(
        self,
        path: Path,
        netns: NetworkNamespace,
        bpffs: BpfFileSystem,
        cgroup: Cgroup | None,
    ) -> None:
        with skelgen.open_object(path, pin_root=bpffs.path) as obj:
            try:
                obj.load(strict=False)
            except BpfError:
                self.done["not loaded"] += 1
                return
            self.done["objects"] += 1
            self.done["programs"] += sum(p.loaded for p in obj.programs.values())
            self._attach(obj, netns, cgroup)

    def _attach(
        self, obj: Object, netns: NetworkNamespace, cgroup: Cgroup | None
    ) -> None:
        for program in obj.programs.values():
            if not program.loaded:
                continue
            targets = {
                "XdpProgram": ("lo",),
                "TcProgram": ("lo",),
                "CgroupProgram": (cgroup.path,) if cgroup is not None else (),
            }.get(type(program).__name__, ())
            try:
                netns.call(program.attach, *targets)  # type: ignore[attr-defined]
            except (BpfError, TypeError):
                self.done["not attached"] += 1
            else:
                self.done["links"] += 1


def main() -> None:
    """Be busy for a while."""
    busy = Busy()
    signal.signal(signal.SIGTERM, busy.stop)
    signal.signal(signal.SIGINT, busy.stop)
    os.chdir(tempfile.gettempdir())
    busy.run(float(sys.argv[1]) if len(sys.argv) > 1 else float("inf"))
    print(", ".join(f"{count} {what}" for what, count in sorted(busy.done.items())))


if __name__ == "__main__":
    main()
