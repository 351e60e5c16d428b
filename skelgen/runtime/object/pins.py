"""Pins of a whole object: its maps and programs under one directory of a bpffs."""

from __future__ import annotations

import os
from functools import partial

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.runtime import pins
from skelgen.runtime.undo import Undo, raise_first

if TYPE_CHECKING:
    from skelgen.runtime.load.parts import DataMap, Parts


class _Pinnable(Protocol):
    def pin(self, path: str) -> None: ...
    def unpin(self, path: str) -> None: ...


def pin_all(parts: Parts, place: str | os.PathLike[str]) -> None:
    """Pin every map and program that is in the kernel, or none. Raises BpfOSError."""
    directory = pins.checked_path(place, f"object '{parts.spec.name}': directory")
    undo = Undo()
    first = os.path.join(directory, "")
    try:
        if pins.make_directory(first, f"object '{parts.spec.name}'"):
            undo.add(partial(pins.remove_directory, first))
        for name, thing in _in_kernel(parts):
            path = os.path.join(directory, name)
            thing.pin(path)
            undo.add(partial(thing.unpin, path))
        undo.keep()
    finally:
        undo.run()


def unpin_all(parts: Parts, place: str | os.PathLike[str]) -> None:
    """Remove what :func:`pin_all` made, also the directory once it is empty.

    Goes on where one is missing, then raises the first failure.
    """
    directory = pins.checked_path(place, f"object '{parts.spec.name}': directory")
    undo = Undo()
    undo.add(partial(pins.remove_directory, os.path.join(directory, "")))
    for name, thing in _in_kernel(parts):
        undo.add(partial(thing.unpin, os.path.join(directory, name)))
    raise_first(undo.run())


def _in_kernel(parts: Parts) -> list[tuple[str, _Pinnable]]:
    """Return maps and programs with their names in a directory, as libbpf has them."""
    found: list[tuple[str, _Pinnable]] = []
    for name, handle in parts.handles().items():
        if handle.made:
            found.append((_map_name(name, parts.data.get(name)), handle))
    found += [(p.name, p) for p in parts.programs.values() if p.loaded]
    # bpffs takes no dots; a slash, which C has not in names, would lead elsewhere
    return [(name.replace(".", "_").replace("/", "_"), thing) for name, thing in found]


def _map_name(name: str, data: DataMap | None) -> str:
    if data is None or "." in name[1:]:  # .data.foo stands for itself
        return name
    return data.kernel_name
