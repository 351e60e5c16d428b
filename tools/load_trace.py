#!/usr/bin/env python3
"""Trace a load: how often control comes back to a file of the runtime that it had left.

``tools/load_trace.py [MODULE.py] [--room ROOM] [--pairs N]``, as root. The module is a
generated one, by default that of ``examples/bootstrap`` (``make examples``). It is opened,
loaded and destroyed once, so that all is imported and found out, and then loaded again
under ``sys.setprofile``. Only frames of files in ``skelgen/runtime`` count, or of one of
its rooms.

A *stay* is a stretch of the load in one file. A stay that is not the first one in its
file is a *return*: control had left the file, by a call or at the end of one, and is back.
A *call back* is a call into a file that waits for a call of its own to end: the callee
asks something of its caller, so that data flows both ways.
"""

import argparse
import sys
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

RUNTIME = "/skelgen/runtime/"
BOOTSTRAP = "examples/bootstrap/bootstrap_skel.py"


class Trace:
    """The files that control is in, one after another; a function for setprofile()."""

    def __init__(self, room: str = "") -> None:
        self._room = room
        self.stays: list[str] = []
        """The file of each stay."""
        self.calls: Counter[tuple[str, str, str]] = Counter()
        """Calls from a file into another: both, and the function that is called."""
        self.back: Counter[tuple[str, str, str]] = Counter()
        """Those of them into a file that waits."""
        self._waiting: list[tuple[str, FrameType]] = []
        self._files: dict[CodeType, str] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Note where control goes; C functions are no place."""
        if event == "call":
            file = self._file(frame.f_code)
            if file:
                if self.stays and self.stays[-1] != file:
                    call = self.stays[-1], file, frame.f_code.co_qualname
                    self.calls[call] += 1
                    if any(waiting == file for waiting, _ in self._waiting):
                        self.back[call] += 1
                self._waiting.append((file, frame))
                self._enter(file)
        elif event == "return" and self._waiting and self._waiting[-1][1] is frame:
            self._waiting.pop()
            if self._waiting:
                self._enter(self._waiting[-1][0])

    def _enter(self, file: str) -> None:
        if not self.stays or self.stays[-1] != file:
            self.stays.append(file)

    def _file(self, code: CodeType) -> str:
        """Return a file by its path in the runtime; empty for any other."""
        if code not in self._files:
            file = code.co_filename.partition(RUNTIME)[2]
            self._files[code] = file if file.startswith(self._room) else ""
        return self._files[code]

    @property
    def files(self) -> set[str]:
        """All files that control was in."""
        return set(self.stays)

    @property
    def returns(self) -> int:
        """Stays in a file that is not new."""
        return len(self.stays) - len(self.files)


def skeleton(path: Path) -> Any:  # noqa: ANN401 (what is generated)
    """Return the class of the skeleton in a generated module."""
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path}: no Python module")
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return next(
        found
        for found in vars(module).values()
        if isinstance(found, type) and hasattr(found, "load")
    )


def traced_load(path: Path, room: str = "") -> Trace:
    """Load a skeleton twice; return the trace of the second time."""
    cls = skeleton(path)
    with cls.open() as first:
        first.load()
    trace = Trace(room)
    with cls.open() as again:
        sys.setprofile(trace)
        try:
            again.load()
        finally:
            sys.setprofile(None)
    return trace


def room(file: str) -> str:
    """Return the room of a file: its folder, or itself."""
    return file.partition("/")[0]


def main() -> None:
    """Print the figures of one load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", nargs="?", default=BOOTSTRAP, type=Path)
    parser.add_argument("--room", default="", help="count files of this room alone")
    parser.add_argument("--pairs", type=int, default=0, help="list the calls, too")
    given = parser.parse_args()
    trace = traced_load(given.module, given.room)
    print(
        f"{given.module.name}: {len(trace.stays)} stays in {len(trace.files)} files,"
        f" {trace.returns} returns, {trace.back.total()} calls back"
    )
    rooms: Counter[tuple[str, str]] = Counter()
    for (caller, callee, _), count in trace.calls.items():
        rooms[room(caller), room(callee)] += count
    for (caller, callee), count in rooms.most_common():
        print(f"{count:5}  {caller} -> {callee}")
    for name, counted in (("calls", trace.calls), ("calls back", trace.back)):
        for (caller, callee, function), count in counted.most_common(given.pairs):
            print(f"{count:5}  {name}: {caller} -> {callee} {function}")


if __name__ == "__main__":
    main()
