"""Arguments packed as the kernel's structures."""

from __future__ import annotations

import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import number, readable

if TYPE_CHECKING:
    from typing import Final

_RANGES: Final = {
    "B": (0, (1 << 8) - 1),
    "H": (0, (1 << 16) - 1),
    "i": (-1 << 31, (1 << 31) - 1),
    "I": (0, (1 << 32) - 1),
    "q": (-1 << 63, (1 << 63) - 1),
    "Q": (0, (1 << 64) - 1),
}


class Layout:
    """A structure of the kernel's, whose values have the names of arguments."""

    __slots__ = ("_names", "_struct", "size", "unpack", "unpack_from")

    def __init__(self, form: str, names: str) -> None:
        self._struct = struct.Struct(form)
        self._names = names
        self.size = self._struct.size
        """Bytes."""
        self.unpack = self._struct.unpack
        self.unpack_from = self._struct.unpack_from

    def pack(self, whose: str, *values: object) -> bytes:
        """Return the values as bytes.

        Where packing fails, the error names the value that does not fit, and ``whose`` it
        is.
        """
        try:
            return self._struct.pack(*values)
        except struct.error:
            self._refuse(whose, values)
            raise

    def _refuse(self, whose: str, values: tuple[object, ...]) -> None:
        letters = _letters(self._struct.format)
        for letter, name, value in zip(
            letters, self._names.split(), values, strict=True
        ):
            if letter == "s":
                readable(value, name, whose)
            else:
                number(value, name, _RANGES[letter], whose)


def _letters(form: str) -> str:
    """Return the letter of each value: ``=I16sxxQ`` has ``IsQ``."""
    letters = ""
    count = ""
    for char in form[1:]:
        if char.isdigit():
            count += char
            continue
        if char == "s":
            letters += char
        elif char != "x":
            letters += char * int(count or 1)
        count = ""
    return letters
