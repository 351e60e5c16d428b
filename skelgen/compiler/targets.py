"""The machines that an object can be compiled for."""

import platform
import re
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from skelgen.errors import ConfigError
from skelgen.near_names import or_near


class Target(NamedTuple):
    """A kind of machine, as a build names it."""

    name: str
    """``uname -m`` of the machines, or ``bpfel`` or ``bpfeb`` for all of a byte order."""
    byteorder: str
    """``"little"`` or ``"big"``."""
    arch: str | None
    """``x`` of ``-D__TARGET_ARCH_x``, which ``PT_REGS`` code needs; ``None`` for code
    that has none of it."""


_ARCHS = {
    "x86_64": "x86",
    "i686": "x86",
    "aarch64": "arm64",
    "armv7l": "arm",
    "riscv64": "riscv",
    "s390x": "s390",
    "ppc64le": "powerpc",
    "ppc64": "powerpc",
    "mips64": "mips",
    "loongarch64": "loongarch",
}
_BIG_ENDIAN = frozenset({"s390x", "ppc64", "mips64"})

TARGETS = {
    target.name: target
    for target in (
        Target("bpfel", "little", None),
        Target("bpfeb", "big", None),
        *(
            Target(name, "big" if name in _BIG_ENDIAN else "little", arch)
            for name, arch in _ARCHS.items()
        ),
    )
}
"""Every target by its name."""


def find_target(name: str) -> Target:
    """Return a target. Raises ConfigError, listing them, when there is no such one."""
    target = TARGETS.get(name)
    if target is None:
        text = f"target '{name}': unknown; known are {', '.join(TARGETS)}"
        raise ConfigError(or_near(text, name, TARGETS))
    return target


def this_machine() -> Target:
    """Return the target that this machine is."""
    machine = platform.machine()
    known = TARGETS.get(machine)
    return known or Target(machine, sys.byteorder, machine)


_DEFINED = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+__TARGET_ARCH_(\w+)", re.MULTILINE)
_FLAG = re.compile(r"(?:-D)?__TARGET_ARCH_(\w+)(?:=.*)?")


def defined_archs(flags: Sequence[str], texts: Iterable[bytes]) -> list[str]:
    """Return every ``x`` of a ``__TARGET_ARCH_x`` that flags or C files define."""
    named = [found[1] for flag in flags if (found := _FLAG.fullmatch(flag))]
    for text in texts:
        named += [arch.decode() for arch in _DEFINED.findall(text)]
    return named


def without_arch(flags: Sequence[str]) -> tuple[str, ...]:
    """Leave out ``-D__TARGET_ARCH_x``, of one word or two."""
    kept: list[str] = []
    for flag in flags:
        if not _FLAG.fullmatch(flag):
            kept.append(flag)
        elif kept and kept[-1] == "-D":
            kept.pop()
    return tuple(kept)
