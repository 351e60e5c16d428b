"""The version of the running kernel."""

from __future__ import annotations

import os


def kernel_version() -> int:
    """Return ``LINUX_VERSION_CODE`` of the running kernel.

    Ubuntu and Debian run a later patch level than ``uname -r`` says, and tell it
    elsewhere.
    """
    try:
        with open("/proc/version_signature", encoding="utf-8") as file:
            words = file.read().split()
        if len(words) > 2 and (version := version_code(words[2])):
            return version
    except OSError:
        pass
    uname = os.uname()
    _, debian, after = uname.version.partition("Debian ")
    return (debian and version_code(after)) or version_code(uname.release)


def version_code(text: str) -> int:
    """Return ``KERNEL_VERSION(a, b, c)`` of a text that begins ``a.b.c``, else 0."""
    numbers: list[int] = []
    for part in text.split(".", 2):
        digits = len(part) - len(part.lstrip("0123456789"))
        numbers.append(int(part[:digits] or 0))
        if digits < len(part):  # what follows is no number
            break
    major, minor, patch = (*numbers, 0, 0)[:3]
    return (major << 16) + (minor << 8) + min(patch, 255)
