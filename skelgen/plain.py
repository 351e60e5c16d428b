"""Text that can play no tricks on a terminal.

Names come from objects, kernels and users, and may hold escape sequences, marks that
turn the writing direction, or line ends that begin a line of somebody else's. Whatever
shows one goes through here: errors and their notes, warnings, logging, ``repr()``.
"""

_LONGEST = 4200
"""Characters; a path has 4096 at most."""


def plain(text: str) -> str:
    r"""Return text as one line of printable characters; others as ``\x1b``."""
    text = _cut(text)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def plain_lines(text: str) -> str:
    """Return text of several lines, each of printable characters and tabs."""
    if len(text) > _LONGEST:
        text = "\n".join(map(_cut, text.split("\n")))
    if text.isprintable():
        return text
    return "".join(
        char if char in "\n\t" or char.isprintable() else _escaped(char)
        for char in text
    )


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} ... ({len(text)} characters)"


def _escaped(char: str) -> str:
    return repr(char)[1:-1]
