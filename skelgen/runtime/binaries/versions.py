"""Names of symbol versions: ``.gnu.version_d`` and ``.gnu.version_r`` of ELF.

The layouts are the same for both classes; ``Elf64_Verdef`` and so on in ``elf.h``.
"""

from __future__ import annotations

import struct

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

_MOST_STEPS: Final = 1 << 18
"""Versions of a file, at most; the chains of a broken one may share their links."""


def defined(data: bytes, order: str, text: Callable[[int], str]) -> dict[int, str]:
    """Return the versions that a library defines, by their index."""
    layout = struct.Struct(order + "HHHHIII")
    found: dict[int, str] = {}
    for at in _chain(data, layout, 0):
        _, _, index, count, _, first, _ = layout.unpack_from(data, at)
        if count and at + first + 8 <= len(data):
            (name,) = struct.unpack_from(order + "I", data, at + first)
            found.setdefault(index & 0x7FFF, text(name))
    return found


def needed(
    data: bytes, order: str, text: Callable[[int], str]
) -> dict[int, tuple[str, str]]:
    """Return the versions that are needed of others, and of which, by their index."""
    layout = struct.Struct(order + "HHIII")
    each = struct.Struct(order + "IHHII")
    found: dict[int, tuple[str, str]] = {}
    steps = 0
    for at in _chain(data, layout, 0):
        _, _, library, first, _ = layout.unpack_from(data, at)
        for of_it in _chain(data, each, at + first):
            _, _, index, name, _ = each.unpack_from(data, of_it)
            found.setdefault(index & 0x7FFF, (text(name), text(library)))
            steps += 1
            if steps > _MOST_STEPS:
                return found
    return found


def _chain(data: bytes, layout: struct.Struct, at: int) -> Iterator[int]:
    """Iterate over the offsets of records whose last field leads to the next."""
    for _ in range(_MOST_STEPS):
        if at + layout.size > len(data):
            return
        yield at
        step = layout.unpack_from(data, at)[-1]
        if step < layout.size:  # 0 for the last
            return
        at += step
