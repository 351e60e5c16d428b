"""Patterns of section names: ``*`` for any run of characters, ``?`` for one."""

from collections.abc import Callable


def has_wildcard(pattern: str) -> bool:
    """Whether a pattern can match more than itself."""
    return "*" in pattern or "?" in pattern


def compile_glob(pattern: str) -> Callable[[bytes], object]:
    """Return a function that is true of the names that match."""
    import re

    parts = {"*": ".*", "?": "."}
    text = "".join(parts.get(char) or re.escape(char) for char in pattern)
    return re.compile(text.encode(), re.DOTALL).fullmatch
