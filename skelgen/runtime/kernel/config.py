"""Kernel configuration: the values of ``__kconfig`` variables.

``CONFIG_*`` come from text that the user gives, then from the system's file, where
the first assignment of a name wins; ``LINUX_*`` are made up by the loader.
"""

from __future__ import annotations

import os
import sys

from skelgen._typing import TYPE_CHECKING
from skelgen.model.spec import ExternSpec, KconfigType
from skelgen.runtime.errors import ExternError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.version import kernel_version
from skelgen.runtime.log import debug, warn_caller

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from skelgen.runtime.syscalls.buffers import Buffer

# in a file that belongs to a kernel, which sets more than any object asks for
_WHOLE: Final = (" is not set\n", "# Automatically generated file")
_TRISTATE: Final = {"n": 0, "y": 1, "m": 2}  # enum libbpf_tristate


def fill(externs: Iterable[ExternSpec], text: str | None, image: Buffer) -> bytearray:
    """Return a copy of the ``.kconfig`` section with every variable set.

    ``text`` is configuration that goes before the system's. Raises
    :class:`ExternError` for a variable that is not weak and has no value, and for a
    value that does not fit its type.
    """
    result = bytearray(image)
    given = _parse(text or "")
    missing: list[ExternSpec] = []
    for extern in externs:
        if extern.kconfig is None:
            continue
        if not extern.name.startswith("CONFIG_"):
            _store(result, extern, _virtual(extern))
        elif extern.name in given:
            _store(result, extern, encode(extern, given[extern.name]))
        else:
            missing.append(extern)
    if missing:
        config, source = _system_config()
        for extern in missing:
            value = _find(config, extern.name)
            if value is not None:
                _store(result, extern, encode(extern, value))
            elif extern.weak:
                debug("extern '%s': not configured, 0 as it is weak", extern.name)
            else:
                raise ExternError(
                    f"extern '{extern.name}': not set in {source}; give it with"
                    f" open(kconfig='{extern.name}=...') or declare it __weak",
                    extern=extern.name,
                )
    return result


def _store(section: bytearray, extern: ExternSpec, data: bytes) -> None:
    section[extern.offset : extern.offset + len(data)] = data


def check(text: str, externs: Iterable[ExternSpec]) -> None:
    """Check configuration that the user gave for an object with these externs.

    Raises :class:`ExternError` for a line that says nothing, and for a name that the
    object does not have where it has one like it. Other names are warned of, if the
    text is no configuration of a whole kernel.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"kconfig: a str, not {type(text).__name__}")
    given = _parse(text)
    if any(mark in text for mark in _WHOLE):
        return
    used = [extern.name for extern in externs if extern.kconfig is not None]
    unused = [name for name in given if name not in used]
    for name in unused:
        from skelgen.near_names import did_you_mean

        said = f"kconfig: the object has no variable '{name}'"
        near = did_you_mean(name, [other for other in used if other not in given])
        if near:
            raise ExternError(f"{said}; {near}", extern=name)
        warn_caller(f"{said}, and the line that sets it does nothing")


def _parse(text: str) -> dict[str, str]:
    """Return the assignments of a configuration that the user wrote."""
    found: dict[str, str] = {}
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole.strip()
        if not line or line.startswith("#"):
            continue
        name, _, value = line.partition("=")
        if name.startswith("LINUX_") and name.isidentifier():
            raise ExternError(
                f"kconfig: line {number}, {line!r}: load() works out '{name}', and it"
                " cannot be given",
                extern=name,
            )
        if not (name.startswith("CONFIG_") and name.isidentifier() and value):
            raise ExternError(
                f"kconfig: line {number}, {line!r}, is no assignment CONFIG_NAME=VALUE"
                " (without spaces around =), and no comment (# ...)"
            )
        found.setdefault(name, value)
    return found


def _find(config: bytes, name: str) -> str | None:
    """Return what a configuration file sets a name to."""
    at = config.find(f"\n{name}=".encode())
    if at < 0:
        return None
    start = at + len(name) + 2
    end = config.find(b"\n", start)
    return config[start : end if end >= 0 else None].decode(errors="replace")


def _system_config() -> tuple[bytes, str]:
    """Return the kernel's configuration, after a newline, and where it came from."""
    boot = f"/boot/config-{os.uname().release}"
    for path in (boot, "/proc/config.gz"):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            continue
        if data[:2] == b"\x1f\x8b":
            import zlib

            data = zlib.decompress(data, 31)
        return b"\n" + data, path
    return b"", f"any configuration, as '{boot}' and '/proc/config.gz' are not there"


def options(names: Iterable[str]) -> dict[str, str | None] | None:
    """Return what this kernel was configured with, ``None`` for what is not set.

    Without a file that tells it there is no dictionary.
    """
    config, _ = _system_config()
    return {name: _find(config, name) for name in names} if config else None


def _virtual(extern: ExternSpec) -> bytes:
    name = extern.name
    if name == "LINUX_KERNEL_VERSION":
        version = kernel_version()
        if not version:
            raise ExternError(
                f"extern '{name}': cannot tell from '{os.uname().release}'", extern=name
            )
        return _number(extern, version)
    if name in {"LINUX_HAS_BPF_COOKIE", "LINUX_HAS_SYSCALL_WRAPPER"}:
        feature = (
            features.BPF_COOKIE
            if name == "LINUX_HAS_BPF_COOKIE"
            else features.SYSCALL_WRAPPER
        )
        return _number(extern, int(bool(feature.supported())))
    if name.startswith("LINUX_") and extern.weak:
        return bytes(extern.size)
    raise ExternError(
        f"extern '{name}': no such variable; a __kconfig variable is named CONFIG_*"
        " or LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE, LINUX_HAS_SYSCALL_WRAPPER",
        extern=name,
    )


def encode(extern: ExternSpec, value: str) -> bytes:
    """Return a configuration value as bytes of the C variable.

    Raises :class:`ExternError` where the type of the variable has no such value.
    """
    if value in {"y", "n", "m"}:
        return _switch(extern, value)
    if value.startswith('"'):
        return _string(extern, value)
    try:
        number = _c_integer(value)
    except ValueError:
        raise _misfit(extern, value, "which is no number") from None
    if extern.kconfig not in {KconfigType.INT, KconfigType.CHAR}:
        raise _misfit(extern, value, "so that the variable has to be an integer")
    return _number(extern, number)


def _switch(extern: ExternSpec, value: str) -> bytes:
    kind = extern.kconfig
    if kind is KconfigType.BOOL and value != "m":
        return bytes([value == "y"])
    if kind is KconfigType.TRISTATE:
        return _to_bytes(_TRISTATE[value], extern.size)
    if kind is KconfigType.CHAR:
        return value.encode()
    if kind is KconfigType.BOOL:
        raise _misfit(
            extern, value, "so that the variable has to be a tristate or char"
        )
    raise _misfit(
        extern, value, "so that the variable has to be a bool, tristate or char"
    )


def _string(extern: ExternSpec, value: str) -> bytes:
    if extern.kconfig is not KconfigType.STRING:
        raise _misfit(extern, value, "so that the variable has to be a char array")
    if len(value) < 2 or not value.endswith('"'):
        raise _misfit(extern, value, "which does not end with a quote")
    text = value[1:-1].encode()
    if len(text) >= extern.size:
        debug("extern '%s': %s cut to %d bytes", extern.name, value, extern.size - 1)
    return text[: extern.size - 1].ljust(extern.size, b"\0")


def _c_integer(text: str) -> int:
    """Return a number as C's ``strtoull`` reads it: octal after 0, hex after 0x."""
    digits = text.lstrip("+-").lower()
    if digits.startswith("0x"):
        return int(text, 16)
    return int(text, 8 if digits.startswith("0") else 10)


def _number(extern: ExternSpec, number: int) -> bytes:
    kind, size = extern.kconfig, extern.size
    if kind not in {KconfigType.INT, KconfigType.CHAR, KconfigType.BOOL}:
        raise _misfit(extern, number, "so that the variable has to be an integer")
    if kind is KconfigType.BOOL:
        low, high = 0, 1
    elif size == 8:  # either sign, as in C
        low, high = -(1 << 63), (1 << 64) - 1
    elif extern.signed:
        low, high = -(1 << 8 * size - 1), (1 << 8 * size - 1) - 1
    else:
        low, high = 0, (1 << 8 * size) - 1
    if not low <= number <= high:
        raise _misfit(extern, number, f"which does not fit into {size} bytes")
    return _to_bytes(number, size)


def _to_bytes(number: int, size: int) -> bytes:
    return (number & (1 << 8 * size) - 1).to_bytes(size, sys.byteorder)


def _misfit(extern: ExternSpec, value: object, why: str) -> ExternError:
    return ExternError(
        f"extern '{extern.name}': the kernel's value is {value}, {why}",
        extern=extern.name,
    )
