"""Text that goes into a generated module: literals and docstrings.

Whatever an object file says, it arrives as a string that black leaves alone, or as
plain words between the quotes of a docstring; never as code.
"""

import re
import textwrap

WIDTH = 88
"""Line length of generated modules: black's."""

_LONGEST_DOC = 400
_outside = re.compile(r"[^ -~]|\\")
_word = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_code_alone = re.compile(r"``[^`]*``").fullmatch
_plain = re.compile(r"[ !#-\[\]-~]*").fullmatch


def literal(text: str) -> str:
    """Return a Python string literal, ASCII only, in the form that black keeps."""
    if _plain(text):
        return f'"{text}"'
    # Black takes the quote that needs fewer backslashes, and prefers the double.
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escape(char, quote) for char in text) + quote


def _escape(char: str, quote: str) -> str:
    if char in {quote, "\\"}:
        return "\\" + char
    if " " <= char <= "~":
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def doc(text: str) -> str:
    """Return text from an object file as it may stand inside a docstring.

    One line of printable ASCII: anything else becomes ``?``, a double quote that
    could end the docstring a single one; very long text is cut.
    """
    if len(text) > _LONGEST_DOC:
        text = text[: _LONGEST_DOC - 4] + " ..."
    if not _plain(text):
        text = _outside.sub("?", text).replace('""', "''")
    return text


def code(text: str) -> str:
    """Return C code for a docstring, in the quotes of reStructuredText."""
    safe = doc(text).replace("`", "'").strip()
    return f"``{safe}``"


def sentence(text: str) -> str:
    """Return text with its full stop; one C declaration alone has none."""
    return text if _code_alone(text) else f"{text}."


def count(number: int, unit: str) -> str:
    """Return ``1 byte``, ``2 bytes``, ``3 entries``."""
    if number != 1:
        unit = f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"
    return f"{number} {unit}"


def words(text: str) -> "set[str]":
    """Return the names that an expression or annotation looks up.

    In ``rt.array(rt.U32, 4)`` that is ``rt``.
    """
    return set(_word.findall(text))


def docstring(text: str, indent: int) -> str:
    """Return a docstring with its quotes, wrapped to the line length.

    The first line has no indentation, the others have ``indent`` spaces. ``text``
    must have gone through :func:`doc` where it comes from an object file.
    """
    if indent + len(text) + 6 <= WIDTH:
        return f'"""{text}"""'
    # without room for the quotes a single line becomes two
    room = min(WIDTH - indent - 3, len(text) - 1)
    lines = textwrap.wrap(
        text, width=room, break_long_words=False, break_on_hyphens=False
    )
    if len(lines) == 1:
        return f'"""{text}"""'
    space = "\n" + " " * indent
    return '"""' + space.join(lines) + space + '"""'
