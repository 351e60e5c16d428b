"""Names that C cannot have, as Rust, C++ and Zig give them, made fit for it."""

import re

_is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_foreign = re.compile(r"[^A-Za-z0-9_]+").split


def c_name(name: str, longest: int) -> str:
    """Return a name of ASCII letters, digits and underscores, the same for the same.

    A C name stays as it is. ``Pair<u32, u64>`` is ``Pair_u32_u64``: what stands
    between, be it one character or several, becomes ``_``, and nothing before the first
    and behind the last. ``c_`` comes before a digit, and is all there is of a name
    without letters and digits. More than ``longest`` characters are cut off.
    """
    if not _is_name(name):
        name = "_".join(part for part in _foreign(name) if part)
        if not _is_name(name):
            name = "c_" + name
    return name[:longest]
