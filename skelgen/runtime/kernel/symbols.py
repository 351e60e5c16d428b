"""Names of the kernel's functions, from ``/proc/kallsyms``, which tells them to all."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.near_names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

KALLSYMS: Final = "/proc/kallsyms"


def functions() -> Iterator[bytes]:
    """Iterate over the names, those of modules too. Raises :class:`OSError`."""
    with open(KALLSYMS, "rb") as file:
        for line in file:
            fields = line.split(None, 3)
            if len(fields) > 2 and fields[1] in b"tTwW":
                yield fields[2]


def has(name: str) -> bool:
    """Whether there is a function of that name; False also if it cannot be told."""
    try:
        return name.encode(errors="surrogateescape") in functions()
    except OSError:
        return False


def missing(names: Iterable[str]) -> list[str]:
    """Return those of some names that no function has; none if it cannot be told."""
    wanted = {name.encode(errors="surrogateescape"): name for name in names}
    try:
        for function in functions():
            wanted.pop(function, None)
    except OSError:
        return []
    return list(wanted.values())


def near(name: str, prefix: str = "") -> str:
    """Return what a name may stand for, as a question; empty for no idea.

    ``prefix`` is what the names have in front that is not given: ``__x64_sys_``.
    """
    start = prefix.encode()
    try:
        names = {
            function[len(start) :].decode(errors="replace")
            for function in functions()
            if function.startswith(start)
        }
    except OSError:
        return ""
    return did_you_mean(name, names)
