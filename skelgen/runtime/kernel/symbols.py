"""The kernel's symbols, from ``/proc/kallsyms``, which lists them for everybody."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.near_names import did_you_mean
from skelgen.runtime.syscalls.numbers import MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

KALLSYMS: Final = "/proc/kallsyms"

SYSCALL_PREFIX: Final = {
    "x86_64": "x64",
    "aarch64": "arm64",
    "riscv64": "riscv",
    "s390x": "s390x",
}.get(MACHINE)
"""The word before ``_sys_`` in the name of a system call's wrapper."""


def table() -> bytes:
    """Return the file: address, type, name and module of each symbol, a line each.

    Raises :class:`OSError`.
    """
    with open(KALLSYMS, "rb") as file:
        return file.read()


def lists(symbols: bytes, name: str) -> bool:
    """Return whether a table has a symbol of that name, of the kernel or a module."""
    key = b" " + name.encode()
    return key + b"\n" in symbols or key + b"\t[" in symbols


def addresses(symbols: bytes, name: str) -> set[int]:
    """Return the addresses that a table has for a name.

    Clang renames static data in link-time optimisation: ``name.llvm.123``, type d.
    """
    raw = name.encode()
    found: set[int] = set()
    for key in (b" %b\n" % raw, b" %b\t" % raw, b" d %b.llvm." % raw):
        at = symbols.find(key)
        while at >= 0:
            fields = symbols[symbols.rfind(b"\n", 0, at) + 1 : at + len(key)].split()
            if len(fields) == 3:
                found.add(int(fields[0], 16))
            at = symbols.find(key, at + 1)
    return found


def hides_addresses(symbols: bytes) -> bool:
    """Return whether all addresses of a table are 0, as for those without rights."""
    for name in (b" T _stext\n", b" T _text\n"):
        at = symbols.find(name)
        if at >= 0:
            return int(symbols[symbols.rfind(b"\n", 0, at) + 1 : at], 16) == 0
    return False


def names(symbols: bytes) -> set[str]:
    """Return all names of a table."""
    rows = (line.split() for line in symbols.decode(errors="replace").splitlines())
    return {row[2] for row in rows if len(row) > 2}


def functions() -> Iterator[bytes]:
    """Iterate over the names of functions, those of modules too.

    Raises :class:`OSError`.
    """
    with open(KALLSYMS, "rb") as file:
        for line in file:
            fields = line.split(None, 3)
            if len(fields) > 2 and fields[1] in b"tTwW":
                yield fields[2]


def has(name: str) -> bool:
    """Return whether there is such a function; False also if it cannot be told."""
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
    """Return "did you mean ...?" for a name, empty if no function is like it.

    ``prefix`` begins the functions' names and is left out of ``name``: ``__x64_sys_``.
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
